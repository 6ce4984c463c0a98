use super::*;
use crate::tests::open;

#[tokio::test]
async fn a_policy_is_kept_across_restarts_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Domain::parse("one.example").unwrap(), Domain::parse("two.example").unwrap());
    let policy = |id: &str, fetched| StsPolicyRecord {
        id: id.to_owned(),
        text: "version: STSv1".to_owned(),
        fetched,
        until: fetched + 100,
    };
    {
        let store = open(folder.path());
        assert_eq!(store.sts_policy(&one).unwrap(), None);
        store.keep_sts_policy(one.clone(), policy("a", 1_000)).await.unwrap();
        store.keep_sts_policy(one.clone(), policy("b", 2_000)).await.unwrap();
        store.keep_sts_policy(two.clone(), policy("c", 3_000)).await.unwrap();
    }
    let store = open(folder.path());
    assert_eq!(store.sts_policy(&one).unwrap(), Some(policy("b", 2_000)));
    assert_eq!(store.sts_policies_before(3_000).unwrap(), std::slice::from_ref(&one));
    store.forget_sts_policies(2_100).await.unwrap();
    assert_eq!(store.sts_policy(&one).unwrap(), None);
    assert!(store.sts_policy(&two).unwrap().is_some());
}

#[tokio::test]
async fn what_a_domain_of_ours_serves_is_set_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let domain = Domain::parse("one.example").unwrap();
    let own = OwnSts { mode: "testing".to_owned(), since: 1_000 };
    store.set_own_sts(domain.clone(), Some(own.clone())).await.unwrap();
    assert_eq!(store.own_sts(&domain).unwrap(), Some(own));
    store.set_own_sts(domain.clone(), None).await.unwrap();
    assert_eq!(store.own_sts(&domain).unwrap(), None);
}

#[tokio::test]
async fn hosts_that_offered_starttls_are_kept_until_they_are_old_or_too_many() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = open(folder.path());
        for (host, seen) in [("a", 100), ("b", 200), ("c", 300), ("d", 400), ("b", 500)] {
            store.keep_starttls(host.to_owned(), seen).await.unwrap();
        }
    }
    let store = open(folder.path());
    let kept = || ["a", "b", "c", "d"].map(|host| store.starttls_seen(host).unwrap());
    store.forget_starttls(200, 4).await.unwrap();
    assert_eq!(kept(), [None, Some(500), Some(300), Some(400)]);
    store.forget_starttls(200, 2).await.unwrap();
    assert_eq!(kept(), [None, Some(500), None, Some(400)]);
}
