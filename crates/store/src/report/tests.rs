use super::*;
use crate::Options;

fn tally(domain: &str, day: u32, key: &str, count: u64) -> Tally {
    Tally { kind: ReportKind::Dmarc, day, domain: domain.parse().unwrap(), key: key.into(), count }
}

fn due(domain: &str, day: u32) -> Due {
    Due { kind: ReportKind::Dmarc, day, domain: domain.parse().unwrap() }
}

fn report(name: &str, received: i64) -> StoredReport {
    StoredReport {
        id: Id::generate(),
        kind: ReportKind::Tls,
        domain: "example.org".parse().unwrap(),
        organization: "o".into(),
        name: name.into(),
        start: 1,
        stop: 2,
        received,
        total: 10,
        failed: 3,
        content: b"{}".to_vec(),
    }
}

#[tokio::test]
async fn what_is_counted_adds_up_until_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let first = vec![
        tally("example.org", 7, "a", 2),
        tally("example.org", 7, "b", 1),
        tally("example.net", 8, "a", 5),
    ];
    assert_eq!(store.add_tallies(first).await.unwrap(), 0);
    assert_eq!(store.add_tallies(vec![tally("example.org", 7, "a", 3)]).await.unwrap(), 0);
    assert_eq!(store.due_reports(8, 10).unwrap(), [due("example.org", 7)]);
    assert_eq!(store.due_reports(9, 10).unwrap(), [due("example.org", 7), due("example.net", 8)]);
    let counted = store.tallies(&due("example.org", 7)).unwrap();
    assert_eq!(counted, [tally("example.org", 7, "a", 5), tally("example.org", 7, "b", 1)]);
    let sent = Sent { mailed: vec!["rua.example".parse().unwrap(); 2], ..Sent::default() };
    store.close_report(due("example.org", 7), 8, sent).await.unwrap();
    assert_eq!(store.tallies(&due("example.org", 7)).unwrap(), []);
    assert_eq!(store.reports_sent(&due("rua.example", 8)).unwrap(), 2);
    assert_eq!(store.reports_sent(&due("rua.example", 9)).unwrap(), 0);
}

#[tokio::test]
async fn a_flood_of_different_rows_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let flood = (0..MAX_KEYS + 5).map(|n| tally("example.org", 1, &n.to_string(), 1)).collect();
    assert_eq!(store.add_tallies(flood).await.unwrap(), 5);
    let more = vec![
        tally("example.org", 1, "0", 1),
        tally("example.org", 1, "new", 1),
        tally("example.org", 2, "new", 1),
    ];
    assert_eq!(store.add_tallies(more).await.unwrap(), 1);
    assert_eq!(store.tallies(&due("example.org", 1)).unwrap().len() as u64, MAX_KEYS);
}

#[tokio::test]
async fn reports_that_came_are_kept_once_and_for_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let domain = "example.org".parse().unwrap();
    let (old, new) = (report("1", 1000), report("2", 2000));
    assert!(store.add_report(old.clone()).await.unwrap());
    assert!(!store.add_report(StoredReport { id: Id::generate(), ..old.clone() }).await.unwrap());
    assert!(store.add_report(new.clone()).await.unwrap());
    assert_eq!(store.reports(&domain, 0, 10).unwrap(), [new.clone(), old]);
    store.forget_reports(1500, 0).await.unwrap();
    assert_eq!(store.reports(&domain, 0, 10).unwrap(), [new]);
}

#[tokio::test]
async fn reading_a_folder_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let mark = FolderMark { mailbox: Id::generate(), uidvalidity: 3, uid: 17 };
    assert_eq!(store.report_mark(mark.mailbox).unwrap(), None);
    store.set_report_mark(mark).await.unwrap();
    store.set_report_mark(FolderMark { uid: 18, ..mark }).await.unwrap();
    assert_eq!(store.report_mark(mark.mailbox).unwrap().map(|mark| mark.uid), Some(18));
}

#[tokio::test]
async fn what_is_posted_waits_until_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let retry = Retry { due: 100, attempts: 1, until: 1000 };
    {
        let store = Store::open(folder.path(), &Options::default()).unwrap();
        let post = |uri: &str| NewPost { uri: uri.into(), content: uri.as_bytes().to_vec() };
        let sent =
            Sent { posts: vec![post("https://a.example/"), post("https://b.example/")], ..Sent::default() };
        store.close_report(due("example.org", 7), 8, sent).await.unwrap();
        let posts = store.due_posts(1, 10).unwrap();
        let told: Vec<_> =
            posts.iter().map(|post| (post.uri.as_str(), post.domain.as_str(), post.retry)).collect();
        let first = Retry { due: 0, attempts: 0, until: 0 };
        assert_eq!(
            told,
            [("https://a.example/", "example.org", first), ("https://b.example/", "example.org", first)]
        );
        assert_eq!(store.due_posts(1, 1).unwrap(), posts[..1]);
        store.settle_post(posts[0].id, None).await.unwrap();
        assert_eq!(store.post_content(posts[0].id).unwrap(), None);
        store.settle_post(posts[1].id, Some(retry)).await.unwrap();
    }
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    assert_eq!(store.due_posts(99, 10).unwrap(), []);
    let again = store.due_posts(100, 10).unwrap();
    assert_eq!((again.len(), again[0].retry), (1, retry));
    assert_eq!(store.post_content(again[0].id).unwrap().unwrap(), b"https://b.example/");
}
