//! What a file means, and what is said about one that is wrong.

use super::*;
use ::policy::arrival::{Action, Kind, List, Rules};
use std::time::Duration;

const FILE: &str = "/etc/waypost/waypost.toml";

fn parse(text: &str) -> Config {
    Config::parse(&format!("hostname = \"localhost\"\n{text}"), Path::new(FILE))
        .unwrap_or_else(|e| panic!("{text}\n{e}"))
}

/// The error must hold each of these texts.
fn refused(text: &str, expected: &[&str]) {
    let error = Config::parse(text, Path::new(FILE)).expect_err(text).to_string();
    for part in expected {
        assert!(error.contains(part), "{text}\n--- is refused with\n{error}\n--- which lacks {part:?}");
    }
}

#[test]
fn hostname_alone_is_enough() {
    assert_eq!(parse(""), Config::default());
    let ports: Vec<String> =
        Config::default().listen.iter().map(|l| format!("{} {}", l.service, l.endpoint)).collect();
    assert_eq!(
        ports,
        [
            "smtp [::]:25",
            "submission [::]:587",
            "submissions [::]:465",
            "imap [::]:143",
            "imaps [::]:993",
            "pop3 [::]:110",
            "pop3s [::]:995"
        ]
    );
}

#[test]
fn the_example_of_the_design_is_accepted() {
    let config =
        Config::parse(include_str!("tests/design.toml"), Path::new(FILE)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.hostname.as_str(), "mail.example.org");
    assert_eq!(config.user.as_deref(), Some("waypost"));
    assert_eq!(config.listen.len(), 4);
    assert_eq!(config.certificates.len(), 2);
    assert_eq!(config.delivery, Delivery::default());
    assert_eq!(config.routes.len(), 1);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.log, Log::default());
}

#[test]
fn paths_start_at_the_files_folder() {
    let config = parse(
        "data = 'state'\n[listen]\nlmtp = ['unix:run/lmtp']\n[tls]\ncertificate = 'c'\nkey = '/k'\nclient-ca = 'ca'\n\
         [delivery]\nsmarthost = 'smtps://a.example'\nusername = 'u'\npassword-file = 'p'\n\
         [[route]]\ndomain = '*'\nto = 'lmtp:///run/l'\n[dns]\ntrust-anchor = 'a'\n[log]\nfile = 'l'",
    );
    assert_eq!(config.data, Path::new("/etc/waypost/state"));
    assert_eq!(config.listen[0].endpoint, Endpoint::Unix("/etc/waypost/run/lmtp".into()));
    assert_eq!(config.certificates[0].certificate, Path::new("/etc/waypost/c"));
    assert_eq!(config.certificates[0].key, Path::new("/k"));
    assert_eq!(config.client_ca.as_deref(), Some(Path::new("/etc/waypost/ca")));
    assert_eq!(config.delivery.credentials.unwrap().password_file, Path::new("/etc/waypost/p"));
    assert_eq!(config.routes[0].delivery.to, Target::LmtpSocket("/run/l".into()));
    assert_eq!(config.dns.trust_anchor.unwrap(), Path::new("/etc/waypost/a"));
    assert_eq!(config.log.file.unwrap(), Path::new("/etc/waypost/l"));
}

#[test]
fn sockets_must_fit_into_the_path_that_the_system_allows() {
    let folder = |length: usize| format!("/{}", "d".repeat(length - 1));
    assert_eq!(parse(&format!("data = '{}'", folder(94))).data.as_os_str().len(), 94);
    refused(
        &format!("hostname = 'a.example'\ndata = '{}'", folder(95)),
        &["data: /ddd", "95 octets", "more than 94"],
    );
    let lmtp = |length| format!("hostname = 'a.example'\n[listen]\nlmtp = ['unix:{}']", folder(length));
    refused(&lmtp(108), &["listen.lmtp: /ddd", "more than 107"]);
    assert!(Config::parse(&lmtp(107), Path::new(FILE)).is_ok());
}

#[test]
fn with_the_table_exactly_what_it_lists_is_listened_at() {
    assert_eq!(parse("[listen]").listen, []);
    let listen = parse(
        "[listen]\nproxy-from = ['10.0.0.0/8']\nsmtp = ['[::]:25', { address = '127.0.0.1:26', proxy-from = [], tls = false }]\n\
         pop3 = ['127.0.0.1:0', '127.0.0.1:0']",
    )
    .listen;
    let shown: Vec<_> =
        listen.iter().map(|l| (l.service, l.endpoint.to_string(), l.proxy_from.len(), l.tls)).collect();
    assert_eq!(
        shown,
        [
            (Service::Smtp, "[::]:25".to_owned(), 1, true),
            (Service::Smtp, "127.0.0.1:26".to_owned(), 0, false),
            (Service::Pop3, "127.0.0.1:0".to_owned(), 1, true),
            (Service::Pop3, "127.0.0.1:0".to_owned(), 1, true),
        ]
    );
}

#[test]
fn a_route_is_delivery_with_changes() {
    let config = parse(
        "[delivery]\nsmarthost = 'smtp://relay.example:587'\nusername = 'u'\npassword-file = 'p'\nfamily = 'ipv4'\n\
         [[route]]\ndomain = 'a.example'\nsource = ['192.0.2.1']\n\
         [[route]]\ndomain = '*.b.example'\nto = 'smtp://other.example'\ntls = 'required'\n\
         [[route]]\nsender = '<>'\nsmarthost = ''\n",
    );
    let [same, other, mx] = &config.routes[..] else { panic!("three routes") };
    assert_eq!(
        same.delivery,
        Delivery { source: vec!["192.0.2.1".parse().unwrap()], ..config.delivery.clone() }
    );
    assert_eq!(
        config.delivery.tls,
        TlsLevel::Verified,
        "credentials are only shown to a host that proved its name"
    );
    assert_eq!(other.delivery.credentials, None, "nor to another host");
    assert_eq!(other.delivery.family, Family::Ipv4);
    assert_eq!(other.delivery.tls, TlsLevel::Required);
    assert_eq!((&mx.delivery.to, &mx.delivery.credentials), (&Target::Mx, &None));
}

#[test]
fn patterns_match_what_they_say() {
    let domain = |pattern: &str, name: &str| {
        pattern.parse::<DomainPattern>().unwrap().matches(&Domain::parse(name).unwrap())
    };
    assert!(domain("example.org", "example.org") && !domain("example.org", "a.example.org"));
    assert!(domain("*.example.org", "a.b.example.org") && !domain("*.example.org", "example.org"));
    assert!(domain("*", "example.org"));
    let sender =
        |pattern: &str, path: &str| pattern.parse::<SenderPattern>().unwrap().matches(&path.parse().unwrap());
    assert!(sender("News@example.org", "news@Example.org") && !sender("news@example.org", "new@example.org"));
    assert!(sender("example.org", "x@example.org") && sender("@example.org", "x@example.org"));
    assert!(sender("<>", "") && !sender("*", "") && !sender("<>", "x@example.org"));
}

#[test]
fn unknown_keys_are_all_told_with_line_and_suggestion() {
    refused(
        "hostnam = 'a'\n[limits]\nmesage-size = 1\n[lisen]\nx = 1\n[listen]\nsmtp = [{ address = '[::]:25', proxyfrom = [] }]\n",
        &[
            "waypost.toml:1: hostnam: unknown key: did you mean hostname?",
            "waypost.toml:3: limits.mesage-size: unknown key: did you mean message-size?",
            "waypost.toml:4: lisen: unknown key: did you mean listen",
            "waypost.toml:7: listen.smtp[0].proxyfrom: unknown key: did you mean proxy-from",
        ],
    );
    refused("message-size = 1", &["did you mean message-size in [limits]?"]);
    refused("[limits]\nmessage_size = 1", &["did you mean message-size?"]);
    refused("[tls]\nhostname = 'x'", &["did you mean hostname, at the top of the file"]);
    refused("zzz = 1", &["docs/configuration.md"]);
    refused(
        "[[route]]\ndomian = 'a'",
        &["waypost.toml:2: route[0].domian: unknown key: did you mean domain?"],
    );
}

#[test]
fn wrong_values_are_told_with_line_and_remedy() {
    refused("", &["waypost.toml: hostname: is missing: add"]);
    refused("hostname = 'a b'", &["waypost.toml:1: hostname: ", "\"a b\""]);
    refused("hostname = ", &["waypost.toml:1: "]);
    let h = "hostname = 'h'\n";
    for (text, expected) in [
        ("[limits]\nmessage-size = '50 MegaB'", &["waypost.toml:3: limits.message-size: ", "\"50 MiB\""][..]),
        ("[limits]\nmessage-size = 0", &["waypost.toml:3: limits.message-size: must be more"]),
        ("[limits]\nerrors = 0", &["limits.errors: must be at least 1"]),
        ("[limits]\nidle = '5'", &["limits.idle: ", "\"5 min\""]),
        ("[limits]\nexempt = ['10.0.0.1/8']", &["limits.exempt: ", "did you mean \"10.0.0.0/8\""]),
        ("[listen]\nsmtp = ['*:25']", &["waypost.toml:3: listen.smtp: ", "\"[::]:25\""]),
        (
            "[listen]\nsmtp = ['[::]:25']\nlmtp = ['[::]:25']",
            &["waypost.toml:4: listen.lmtp: [::]:25 is listed twice"],
        ),
        ("[listen]\nsmtp = [{ tls = true }]", &["waypost.toml:3: ", "missing field `address`"]),
        ("[tls]\ncertificate = 'c'", &["waypost.toml:3: tls.certificate: needs key"]),
        ("[[tls.more]]\ncertificate = 'c'\nkey = 'k'", &["waypost.toml:2: tls.more[0]: needs [tls]"]),
        (
            "[delivery]\nsmarthost = 'relay.example'",
            &["delivery.smarthost: ", "smtp://relay.example.net:587"],
        ),
        ("[delivery]\nusername = 'u'", &["waypost.toml:3: delivery.username: needs password-file"]),
        ("[delivery]\npassword-file = 'p'", &["delivery.password-file: needs username"]),
        ("[delivery]\nusername = 'u'\npassword-file = 'p'", &["delivery.username: is for a smart host"]),
        ("[delivery]\nport = 0", &["delivery.port: must be"]),
        ("[delivery]\nsource = ['0.0.0.0']", &["delivery.source: 0.0.0.0"]),
        ("[delivery]\ntls = 'maybe'", &["delivery.tls: ", "opportunistic"]),
        ("[[route]]\nto = 'hold'", &["waypost.toml:2: route[0]: a route needs domain or sender"]),
        ("[[route]]\ndomain = 'a'\nsender = 'b'", &["waypost.toml:4: route[0].sender: a route has either"]),
        (
            "[[route]]\ndomain = 'a'\nto = 'hold'\nsmarthost = 'smtp://a'",
            &["route[0].smarthost: a route has either"],
        ),
        (
            "[[route]]\ndomain = 'a'\nto = 'nowhere'",
            &["waypost.toml:4: route[0].to: \"nowhere\" is no destination"],
        ),
        ("[dns]\nservers = ['one.one']", &["dns.servers: "]),
        (
            "[queue]\nmax-retry = '1 min'",
            &["waypost.toml:3: queue.max-retry: must not be shorter than first-retry, which is 5 min"],
        ),
        ("[queue]\nlifetime = '1 min'", &["queue.lifetime: must not"]),
        ("[queue]\nconcurrency-max = 1", &["queue.concurrency-max: must not"]),
    ] {
        refused(&format!("{h}{text}"), expected);
    }
}

#[test]
fn contradictions_are_told_together() {
    refused(
        "[tls]\nkey = 'k'\n[queue]\nmax-retry = '1 s'",
        &["hostname: is missing", "tls.key: needs", "queue.max-retry: "],
    );
}

#[test]
fn files_are_looked_for_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let listed = candidates(Some(folder.path().to_owned()));
    assert_eq!(listed[0], folder.path().join("waypost.toml"));
    assert_eq!(listed[1..], [PathBuf::from("./waypost.toml"), PathBuf::from("/etc/waypost/waypost.toml")]);
    assert_eq!(candidates(Some(PathBuf::new())).len(), 2);
    let (first, second) = (folder.path().join("one"), folder.path().join("two"));
    let error = find_in(vec![first.clone(), second.clone()]).unwrap_err().to_string();
    assert!(error.contains("/one, ") && error.contains("--config"), "{error}");
    std::fs::write(&second, "").unwrap();
    assert_eq!(find_in(vec![first, second.clone()]).unwrap(), second);
    let missing = Config::load(Some(&folder.path().join("none"))).unwrap_err().to_string();
    assert!(missing.contains("cannot read") && missing.contains("/none"), "{missing}");
}

#[test]
fn a_password_is_the_first_line_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let password_file = folder.path().join("p");
    let credentials = Credentials { username: "u".into(), password_file: password_file.clone() };
    assert!(credentials.read_password().is_err());
    for (text, expected) in
        [("secret\n", Some("secret")), (" a b \r\nmore", Some(" a b ")), ("", None), ("\nx", None)]
    {
        std::fs::write(&password_file, text).unwrap();
        assert_eq!(
            credentials.read_password().ok().map(|p| p.reveal().clone()).as_deref(),
            expected,
            "{text:?}"
        );
    }
}

/// A file in which this key has this value, with what else the key needs beside it.
fn file_with(table: &reference::Table, key: &reference::Key, value: &str) -> String {
    let beside = match (table.name, key.name) {
        ("tls", "certificate") | ("tls.more", "certificate") => "key = 'k'",
        ("tls", "key") | ("tls.more", "key") => "certificate = 'c'",
        ("delivery", "username") => "password-file = 'p'\nsmarthost = 'smtp://a.example'",
        ("delivery", "password-file") => "username = 'u'\nsmarthost = 'smtp://a.example'",
        ("route", "to") => "domain = 'a.example'",
        ("policy.domain", key) if key != "name" => "name = 'a.example'",
        ("policy.list", "zone") => "points = 1",
        ("policy.list", "points") => "zone = 'l.example'",
        ("policy.list", _) => "zone = 'l.example'\npoints = 1",
        _ => "",
    };
    let first = if table.name == "tls.more" { "[tls]\ncertificate = 'c'\nkey = 'k'\n" } else { "" };
    let head = match (table.name, table.repeated) {
        ("", _) => return format!("{} = {value}\n", key.name),
        (name, false) => format!("[{name}]"),
        (name, true) => format!("{first}[[{name}]]"),
    };
    let beside = if value == "\"\"" && table.name != "route" { "" } else { beside };
    format!("{head}\n{} = {value}\n{beside}\n", key.name)
}

#[test]
fn reference_defaults_are_the_defaults() {
    for table in reference::TABLES {
        for key in table.keys.iter().filter(|key| key.name != "hostname") {
            let Some(default) = key.default else { continue };
            let config = parse(&file_with(table, key, default));
            match table.name {
                "listen" => assert_eq!(config.listen, [], "{}", key.name),
                "route" => assert_eq!(config.routes[0].delivery, Delivery::default(), "{}", key.name),
                "policy.list" => {
                    let List { kind, codes, .. } = &config.policy.lists[0];
                    assert_eq!((*kind, codes), (Kind::Addresses, &Vec::new()), "{}", key.name);
                }
                name => assert_eq!(config, Config::default(), "{name}.{}", key.name),
            }
        }
    }
}

#[test]
fn reference_examples_make_a_difference() {
    for table in reference::TABLES {
        for key in table.keys {
            let text = file_with(table, key, key.example);
            let text = if key.name == "hostname" { text } else { format!("hostname = 'localhost'\n{text}") };
            let config =
                Config::parse(&text, Path::new(FILE)).unwrap_or_else(|error| panic!("{text}\n{error}"));
            // The networks of [listen] show in the entries only, of which this file has none.
            let shows = !(table.name == "listen" && key.name.ends_with("-from"));
            assert!(!shows || config != Config::default(), "{text}");
            assert!(!shows || table.name != "listen" || !config.listen.is_empty(), "{text}");
        }
    }
}

#[test]
fn reference_routes_take_the_keys_of_delivery() {
    let delivery = reference::TABLES.iter().find(|table| table.name == "delivery").unwrap();
    for key in delivery.keys.iter().filter(|key| !["username", "password-file"].contains(&key.name)) {
        let config = parse(&format!("[[route]]\ndomain = 'a.example'\n{} = {}\n", key.name, key.example));
        assert_ne!(config.routes[0].delivery, Delivery::default(), "{}", key.name);
    }
}

#[test]
fn reference_is_written_out() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = reference::markdown();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "docs/configuration.md is out of date: run this test with UPDATE_EXPECT=1");
}

#[test]
fn zero_is_no_limit_where_the_reference_says_so() {
    let config = parse("[limits]\nmessages-per-hour = 0\nminimum-rate = 0\n[queue]\ndelay-notice = '0 s'");
    assert_eq!(
        (config.limits.messages_per_hour, config.limits.minimum_rate, config.queue.delay_notice),
        (None, 0, None)
    );
    assert_eq!(parse("[smtp]\ngreeting-delay = '3 s'").smtp.greeting_delay, Duration::from_secs(3));
}

#[test]
fn a_domain_has_the_policy_of_all_but_for_what_it_says() {
    let config = parse("[policy]\nspf = 'quarantine'\n[[policy.domain]]\nname = 'a.example'\ndmarc = 'mark'");
    let policy = config.policy;
    assert_eq!((policy.rules.spf, policy.rules.dmarc), (Action::Quarantine, Action::Reject));
    let rules = &policy.domains[&"a.example".parse().unwrap()];
    assert_eq!((rules.spf, rules.dmarc), (Action::Quarantine, Action::Mark));
    let config = parse(
        "[policy]\nreject-points = 7\n[policy.greylist]\nenabled = true\n\
         [[policy.domain]]\nname = 'a.example'\ngreylist = false\nquarantine-points = 2\n[[policy.domain]]\nname = 'b.example'",
    );
    let settings = |rules: &Rules| (rules.thresholds.quarantine, rules.thresholds.reject, rules.greylist);
    let of = |name: &str| settings(&config.policy.domains[&name.parse().unwrap()]);
    assert_eq!(settings(&config.policy.rules), (5, 7, true));
    assert_eq!((of("a.example"), of("b.example")), ((2, 7, false), (5, 7, true)));
    let config =
        parse("[policy]\nrewrite-from = true\n[[policy.domain]]\nname = 'a.example'\nrewrite-from = false");
    let rewrite_from = &config.policy.rewrite_from;
    assert!(rewrite_from.otherwise && !rewrite_from.domains[&"a.example".parse().unwrap()]);
    refused("hostname = 'a.example'\n[policy]\nspf = 'drop'", &["toml:3: policy.spf", "`reject`"]);
    refused("hostname = 'a.example'\n[[policy.domain]]\nspf = 'mark'", &["policy.domain[0]", "needs name"]);
    let twice = "[[policy.domain]]\nname = 'b.example'\n";
    refused(&format!("hostname = 'a.example'\n{twice}{twice}"), &["policy.domain[1]", "twice"]);
}

#[test]
fn lists_need_a_name_and_points() {
    let list = |keys: &str| format!("hostname = 'a.example'\n[[policy.list]]\n{keys}");
    refused(&list("points = 1"), &["policy.list[0]", "needs zone"]);
    refused(&list("zone = 'l.example'"), &["policy.list[0]", "needs points"]);
    refused(
        &list("zone = 'l.example'\npoints = 1\ncodes = ['10.0.0.1']"),
        &["policy.list[0].codes", "10.0.0.1"],
    );
    let many = "[[policy.list]]\nzone = 'l.example'\npoints = 1\n".repeat(33);
    refused(&format!("hostname = 'a.example'\n{many}"), &["policy.list", "33", "32 at most"]);
}
