//! `waypost import` and `waypost export` on files, as a shell runs them: what is kept, and that nothing comes twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

mod support;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use support::{Program, Running, USER};

/// Seconds since 1970 of a message's arrival.
const ARRIVED: u64 = 1_700_000_000;

/// An installation with one account.
fn install() -> Program {
    let program = Program::new();
    program.write("waypost.toml", "hostname = \"mail.example.org\"\ndata = \"data\"\n");
    program.run(&["domain", "add", "example.org"]).done();
    program.run_with(&["account", "add", USER, "--password-stdin"], "correct horse battery\n").done();
    program
}

fn import(program: &Program, words: &[&str]) -> Value {
    program.run(&[&["import"], words, &["--account", USER, "--json"]].concat()).done().json()
}

/// `folder: messages known imported failed`, in order.
fn tally(report: &Value) -> Vec<String> {
    let number = |one: &Value, name: &str| one[name].as_u64().unwrap();
    let line = |one: &Value| {
        let numbers = ["messages", "known", "imported", "failed"].map(|name| number(one, name).to_string());
        format!("{}: {}", one["folder"].as_str().unwrap(), numbers.join(" "))
    };
    report["folders"].as_array().unwrap().iter().map(line).collect()
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    let when = SystemTime::UNIX_EPOCH + Duration::from_secs(ARRIVED);
    File::options().write(true).open(path).unwrap().set_modified(when).unwrap();
}

/// Dovecot's: folders, flags, keywords, a name outside ASCII, subscriptions.
fn maildir(root: &Path) {
    put(&root.join("cur/1700000001.a.host,S=20:2,FSa"), "Subject: one\n\nflagged\n");
    put(&root.join("cur/1700000000.b.host:2,PRb"), "Subject: two\r\n\r\nwith CRLF\r\n");
    put(&root.join("new/1700000002.c.host"), "Subject: three\n\nnew\n");
    put(&root.join("dovecot-keywords"), "0 $Junk\n1 work\n");
    put(&root.join("subscriptions"), "V\t2\n\nINBOX\nArchive\t2024\nGone\n");
    put(&root.join(".Archive.2024/cur/5.d.host:2,DT"), "Subject: four\n\n");
    put(&root.join(".Archive.2024/maildirfolder"), "");
    put(&root.join(".Entw&APw-rfe/cur/6.e.host:2,"), "Subject: five\n\nx");
    std::fs::create_dir_all(root.join(".Empty/cur")).unwrap();
}

/// All messages below a Maildir: `folder/flags keywords time` and the text.
fn exported(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for found in mailfile::maildir::folders(root).unwrap() {
        let keywords = mailfile::maildir::Keywords::read(&found.path);
        for entry in mailfile::maildir::entries(&found.path).unwrap() {
            let path = entry.path(&found.path);
            let since = std::fs::metadata(&path).unwrap().modified().unwrap();
            let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            let flags = entry.flags(&keywords);
            let marks: String = [
                (flags.seen, 'S'),
                (flags.answered, 'R'),
                (flags.flagged, 'F'),
                (flags.deleted, 'T'),
                (flags.draft, 'D'),
            ]
            .iter()
            .filter_map(|(set, letter)| set.then_some(*letter))
            .collect();
            let mut keywords = flags.keywords;
            keywords.sort();
            let text = std::fs::read_to_string(&path).unwrap();
            let subject = text.lines().next().unwrap().to_owned();
            let key = format!("{} {subject} {marks} {} {since}", found.levels.join("/"), keywords.join(","));
            assert!(all.insert(key, text).is_none(), "there are two of one message");
        }
    }
    all
}

#[test]
fn a_maildir_comes_once_with_all_that_is_noted_on_it() {
    let program = install();
    let (from, to) = (program.path("Maildir"), program.path("out"));
    maildir(&from);
    let words = ["maildir", from.to_str().unwrap()];

    let dry = import(&program, &[&words[..], &["--dry-run"]].concat());
    assert_eq!(
        tally(&dry),
        ["INBOX: 3 0 0 0", "Archive/2024: 1 0 0 0", "Empty: 0 0 0 0", "Entwürfe: 1 0 0 0"]
    );
    let first = import(&program, &words);
    assert_eq!(
        tally(&first),
        ["INBOX: 3 0 3 0", "Archive/2024: 1 0 1 0", "Empty: 0 0 0 0", "Entwürfe: 1 0 1 0"]
    );
    let again = import(&program, &words);
    assert_eq!(
        tally(&again),
        ["INBOX: 3 3 0 0", "Archive/2024: 1 1 0 0", "Empty: 0 0 0 0", "Entwürfe: 1 1 0 0"]
    );
    // What came since comes alone; of the others, flags that have changed.
    std::fs::rename(from.join("new/1700000002.c.host"), from.join("cur/1700000002.c.host:2,S")).unwrap();
    put(&from.join("new/1700000009.f.host"), "Subject: six\n\n");
    assert_eq!(tally(&import(&program, &words))[0], "INBOX: 4 3 1 0");

    let target = to.to_str().unwrap();
    let report = program.run(&["export", "maildir", target, "--account", USER, "--json"]).done().json();
    assert_eq!(report["folders"][0]["exported"], 4);
    let all = exported(&to);
    let keys: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            " Subject: one SF $Junk 1700000000",
            " Subject: six   1700000000",
            " Subject: three S  1700000000",
            " Subject: two R $Forwarded,work 1700000000",
            "Archive/2024 Subject: four TD  1700000000",
            "Entw&APw-rfe Subject: five   1700000000",
        ]
    );
    assert_eq!(all[keys[3]], "Subject: two\n\nwith CRLF\n");
    assert_eq!(all[keys[5]], "Subject: five\n\nx");
    let subscribed = mailfile::maildir::subscriptions(&to);
    for name in [&["INBOX"][..], &["Archive", "2024"], &["Gone"]] {
        assert!(subscribed.iter().any(|levels| levels == name), "{name:?} in {subscribed:?}");
    }
    // Nothing is written twice, and what comes back is the same.
    let report = program.run(&["export", "maildir", target, "--account", USER, "--json"]).done().json();
    assert_eq!((&report["folders"][0]["exported"], &report["folders"][0]["known"]), (&0.into(), &4.into()));
    let other = install();
    import(&other, &["maildir", target]);
    let back = other.path("back");
    other.run(&["export", "maildir", back.to_str().unwrap(), "--account", USER]).done();
    assert_eq!(exported(&back), all);
}

#[test]
fn folders_go_where_it_is_said() {
    let program = install();
    let from = program.path("Maildir");
    maildir(&from);
    let words = [
        "maildir",
        from.to_str().unwrap(),
        "--folder",
        "Old",
        "--rename",
        "Entwürfe=Drafts",
        "--exclude",
        "Empty",
    ];
    let report = import(&program, &words);
    assert_eq!(tally(&report), ["Old: 3 0 3 0", "Old/Archive/2024: 1 0 1 0", "Drafts: 1 0 1 0"]);
}

const MBOX: &str = "From ann@example.org Tue Nov 14 22:13:20 2023\nSubject: one\nStatus: RO\nX-Keywords: work\n\n>From here\n\n\
From ann@example.org Tue Nov 14 22:13:20 2023\nSubject: same\n\nx\n\n\
From ann@example.org Tue Nov 14 22:13:20 2023\nSubject: same\n\nx\n";

#[test]
fn mbox_files_come_once_and_go_out_again() {
    let program = install();
    put(&program.path("mail/Old.mbox"), MBOX);
    put(&program.path("mail/Old.sbd/Deep"), MBOX);
    put(&program.path("mail/Old.msf"), "// an index");
    let from = program.path("mail");
    let words = ["mbox", from.to_str().unwrap()];
    assert_eq!(tally(&import(&program, &words)), ["Old: 3 0 3 0", "Old/Deep: 3 0 3 0"]);
    assert_eq!(tally(&import(&program, &words)), ["Old: 3 3 0 0", "Old/Deep: 3 3 0 0"]);
    // A third one alike, and new flags of the first, which make no other message of it.
    put(
        &program.path("mail/Old.mbox"),
        &format!("{}\n{}", MBOX.replace("Status: RO", "Status: O"), &MBOX[MBOX.len() - 66..]),
    );
    let only = program.path("mail/Old.mbox");
    assert_eq!(tally(&import(&program, &["mbox", only.to_str().unwrap()])), ["Old: 4 3 1 0"]);
    let named = ["mbox", only.to_str().unwrap(), "--folder", "Elsewhere/Here", "--dry-run"];
    assert_eq!(tally(&import(&program, &named)), ["Elsewhere/Here: 4 4 0 0"]);

    let out = program.path("out");
    let words = ["export", "mbox", out.to_str().unwrap(), "--account", USER, "--folder", "Old"];
    program.run(&words).done();
    let text = std::fs::read_to_string(out.join("Old/Deep.mbox")).unwrap();
    let begins = "From MAILER-DAEMON Tue Nov 14 22:13:20 2023\nSubject: one\nStatus: RO\nX-Keywords: work\n\n>From here\n\nFrom";
    assert!(text.starts_with(begins), "{text}");
    assert!(!out.join("INBOX.mbox").exists());
    let again = program.run(&[&words[..], &["--json"]].concat()).done().json();
    assert_eq!(again["folders"][0]["exported"], 0);
    let other = install();
    assert_eq!(
        tally(&import(&other, &["mbox", out.to_str().unwrap()])),
        ["Old: 4 0 4 0", "Old/Deep: 3 0 3 0"]
    );
}

#[test]
fn what_cannot_be_is_said_message_by_message() {
    let program = install();
    let from = program.path("Maildir");
    let path = from.to_str().unwrap();
    for number in 0..9 {
        put(&from.join(format!("cur/{number}.x.host:2,")), &format!("Subject: {number}\n\n"));
    }
    put(&from.join("cur/3.x.host:2,"), &format!("Subject: large\n\n{}", "x".repeat(40_000)));
    program.run(&["account", "quota", USER, "20KiB"]).done();
    let ran = program.run(&["import", "maildir", path, "--account", USER, "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report = ran.json();
    assert_eq!(tally(&report), ["INBOX: 9 0 8 1"]);
    assert!(report["failures"][0]["message"].as_str().unwrap().ends_with("cur/3.x.host:2,"), "{report}");
    let ran = program.run(&["import", "maildir", path, "--account", USER]);
    assert!(ran.code == Some(1) && ran.out.contains("no room"), "{ran:?}");
    program.run(&["account", "quota", USER, "none"]).done();
    assert_eq!(tally(&import(&program, &["maildir", path])), ["INBOX: 9 8 1 0"]);

    for words in [
        &["import", "maildir", "nowhere", "--account", USER][..],
        &["import", "maildir", "data", "--account", USER],
        &["import", "mbox", "waypost.toml", "--account", USER],
        &["import", "maildir", path, "--account", "nobody@example.org"],
        &["export", "maildir", "out", "--account", USER, "--folder", "Nowhere"],
    ] {
        assert_eq!(program.run(words).code, Some(1), "{words:?}");
    }
    assert_eq!(program.run(&["import", "maildir", path]).code, Some(2));
}

/// Larger than what is held of one message, on both ways.
#[test]
fn a_large_message_comes_and_goes_in_pieces() {
    let program = install();
    let (from, to) = (program.path("Maildir"), program.path("out"));
    let text = format!("Subject: large\n\n{}", "0123456789\n".repeat(500_000));
    put(&from.join("cur/1.x.host:2,"), &text);
    let report = import(&program, &["maildir", from.to_str().unwrap()]);
    assert_eq!(tally(&report), ["INBOX: 1 0 1 0"]);
    let lines = text.lines().count();
    assert_eq!(report["folders"][0]["imported_octets"], text.len() + lines);
    program.run(&["export", "maildir", to.to_str().unwrap(), "--account", USER]).done();
    assert_eq!(exported(&to).into_values().next().unwrap(), text);
    program.run(&["export", "mbox", to.to_str().unwrap(), "--account", USER]).done();
    let written = std::fs::read_to_string(to.join("INBOX.mbox")).unwrap();
    assert!(written.ends_with(&format!("{}\n", &text["Subject: large\n".len()..])));
}

const OTHER: &str = "bob@example.org";
const PASSWORD: &str = "correct horse battery\n";
/// Waiting for what comes soon on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An installation that serves IMAP, with two accounts.
struct Served {
    program: Program,
    _running: Running,
    port: u16,
}

impl Served {
    fn new() -> Self {
        let program = install();
        program.run_with(&["account", "add", OTHER, "--password-stdin"], PASSWORD).done();
        let port = xtask::free_port().unwrap();
        let settings =
            format!("hostname = 'mail.example.org'\ndata = 'data'\n[listen]\nimaps = ['127.0.0.1:{port}']\n");
        program.write("waypost.toml", settings);
        let _running = program.serve();
        Self { program, _running, port }
    }

    /// From the first account here into one of another installation, or the second here.
    fn import_imap(&self, into: &Program, account: &str, more: &[&str]) -> Value {
        let server = format!("imaps://127.0.0.1:{}", self.port);
        let words = [
            "import",
            "imap",
            "--server",
            &server,
            "--user",
            USER,
            "--password-stdin",
            "--account",
            account,
            "--json",
        ];
        into.run_with(&[&words, more].concat(), PASSWORD).done().json()
    }
}

fn export(program: &Program, account: &str, name: &str) -> BTreeMap<String, String> {
    let out = program.path(name);
    program.run(&["export", "maildir", out.to_str().unwrap(), "--account", account]).done();
    exported(&out)
}

#[test]
fn an_imap_account_comes_once_with_all_that_is_noted_on_it() {
    let served = Served::new();
    let from = served.program.path("Maildir");
    maildir(&from);
    // Larger than what is held of one message.
    put(
        &from.join(".Archive.2024/cur/7.g.host:2,S"),
        &format!("Subject: large\n\n{}", "0123456789\n".repeat(200_000)),
    );
    import(&served.program, &["maildir", from.to_str().unwrap()]);
    let all = export(&served.program, USER, "all");
    assert_eq!(all.len(), 6);

    let report = served.import_imap(&served.program, OTHER, &[]);
    let imported = |line: &&String| !line.ends_with(" 0 0 0 0");
    let tallied = tally(&report);
    assert_eq!(
        tallied.iter().filter(imported).collect::<Vec<_>>(),
        ["INBOX: 3 0 3 0", "Archive/2024: 2 0 2 0", "Entwürfe: 1 0 1 0"]
    );
    assert!(report["folders"].as_array().unwrap().iter().all(|one| one["verified"] == true), "{report}");
    assert_eq!(export(&served.program, OTHER, "other"), all);
    let again = served.import_imap(&served.program, OTHER, &[]);
    assert!(again["folders"].as_array().unwrap().iter().all(|one| one["imported"] == 0), "{again}");

    // Many accounts from a file, into an installation without a server.
    let elsewhere = install();
    let password = PASSWORD.trim_end();
    let csv =
        format!("server,user,password,account\nimaps://127.0.0.1:{},{USER},{password},{USER}\n", served.port);
    let csv = elsewhere.write("accounts.csv", csv);
    let reports = elsewhere.run(&["import", "imap", "--csv", &csv, "--json"]).done().json();
    assert_eq!(reports[0]["account"], USER);
    assert_eq!(export(&elsewhere, USER, "out"), all);
    let csv =
        elsewhere.write("wrong.csv", format!("imaps://127.0.0.1:{},{USER},wrong,{USER}\n", served.port));
    let ran = elsewhere.run(&["import", "imap", "--csv", &csv, "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.json()[0]["stopped"].as_str().unwrap().contains("refused the login"), "{ran:?}");
    // One that fails ends none of the others, and is named.
    let half = install();
    half.run_with(&["account", "add", OTHER, "--password-stdin"], PASSWORD).done();
    let server = format!("imaps://127.0.0.1:{}", served.port);
    let rows = format!("{server},{USER},wrong,{OTHER}\n{server},{USER},{password},{USER}\n");
    let csv = half.write("half.csv", rows);
    let ran = half.run(&["import", "imap", "--csv", &csv, "--jobs", "2", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let reports = ran.json();
    let ends: Vec<(&str, bool)> = reports
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["account"].as_str().unwrap(), one["stopped"].is_string()))
        .collect();
    assert_eq!(ends, [(OTHER, true), (USER, false)], "{reports}");
    assert_eq!(export(&half, USER, "out"), all);
    for words in [&["import", "imap"][..], &["import", "imap", "--server", "imaps://h", "--account", USER]] {
        assert_eq!(elsewhere.run(words).code, Some(2), "{words:?}");
    }
}

/// As Dovecot's plug-ins write them.
#[test]
fn packed_files_of_a_maildir_are_unpacked_or_named() {
    let program = install();
    let from = program.path("Maildir");
    put(&from.join("cur/1.plain.host:2,"), "Subject: plain\n\nas it is\n");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(b"Subject: gzip\n\npacked\n").unwrap();
    std::fs::write(from.join("cur/2.gzip.host,S=30:2,SZ"), gzip.finish().unwrap()).unwrap();
    for (number, (octets, _)) in PACKED.iter().enumerate() {
        std::fs::write(from.join(format!("cur/3{number}.other.host:2,S")), octets).unwrap();
    }
    // One that is cut short.
    std::fs::write(from.join("cur/99.cut.host:2,S"), [0x1f, 0x8b, 8]).unwrap();

    let words = ["import", "maildir", from.to_str().unwrap(), "--account", USER, "--json"];
    let ran = program.run(&words);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report = ran.json();
    assert_eq!(tally(&report), [format!("INBOX: {} 0 2 {}", PACKED.len() + 3, PACKED.len() + 1)]);
    let failures = report["failures"].as_array().unwrap();
    for ((_, what), failure) in PACKED.iter().zip(failures) {
        assert!(failure["why"].as_str().unwrap().contains(what), "{failure}");
    }
    let texts: Vec<String> = export(&program, USER, "out").into_values().collect();
    assert_eq!(texts, ["Subject: gzip\n\npacked\n", "Subject: plain\n\nas it is\n"]);
}

const PACKED: [(&[u8], &str); 5] = [
    (b"\x28\xb5\x2f\xfd\x04", "zstd"),
    (b"\xfd7zXZ\0\0", "xz"),
    (b"BZh91AY&SY\0", "bzip2"),
    (b"Dovecot-LZ4\x0d\x2a\x9b\xc5\0", "lz4"),
    (b"CRYPTED\x03\x07\x02", "encrypted"),
];

/// Days before the move, then on the day: read, answered, moved and removed there in between. From a Maildir into an account, and
/// from that by IMAP into another.
#[test]
fn what_changed_there_between_two_runs_comes_too() {
    let served = Served::new();
    let from = served.program.path("Maildir");
    maildir(&from);
    put(&from.join("cur/1700000003.h.host:2,S"), "Subject: six\n\n");
    let words = ["maildir", from.to_str().unwrap()];
    import(&served.program, &words);
    served.import_imap(&served.program, OTHER, &[]);
    let counts = |report: &Value| {
        let one = &report["folders"][0];
        ["known", "imported", "changed", "removed"].map(|name| one[name].as_u64().unwrap())
    };

    // Read, with another keyword; no longer flagged; moved; removed.
    let rename = |old: &str, new: &str| std::fs::rename(from.join(old), from.join(new)).unwrap();
    rename("new/1700000002.c.host", "cur/1700000002.c.host:2,Sb");
    rename("cur/1700000001.a.host,S=20:2,FSa", "cur/1700000001.a.host,S=20:2,Sa");
    rename("cur/1700000000.b.host:2,PRb", ".Archive.2024/cur/1700000000.b.host:2,RS");
    std::fs::remove_file(from.join("cur/1700000003.h.host:2,S")).unwrap();
    let expected = [
        " Subject: one S $Junk 1700000000",
        " Subject: three S work 1700000000",
        "Archive/2024 Subject: four TD  1700000000",
        "Archive/2024 Subject: two SR  1700000000",
        "Entw&APw-rfe Subject: five   1700000000",
    ];

    assert_eq!(counts(&import(&served.program, &words)), [2, 0, 2, 0]);
    let kept = export(&served.program, USER, "kept");
    assert_eq!(kept.len(), 7, "what has gone there stays, unless it is said that it goes: {kept:#?}");
    assert_eq!(counts(&import(&served.program, &[&words[..], &["--remove-gone"]].concat())), [2, 0, 0, 2]);
    let here = export(&served.program, USER, "here");
    assert_eq!(here.keys().collect::<Vec<_>>(), expected);

    let report = served.import_imap(&served.program, OTHER, &["--remove-gone"]);
    assert_eq!(counts(&report), [2, 0, 2, 2], "{report}");
    assert_eq!(export(&served.program, OTHER, "other"), here);
    let again = served.import_imap(&served.program, OTHER, &["--remove-gone"]);
    assert_eq!(counts(&again), [2, 0, 0, 0], "{again}");
}

#[test]
fn an_import_that_was_killed_goes_on_where_it_was() {
    const MANY: u64 = 1_500;
    let served = Served::new();
    let from = served.program.path("Maildir");
    for number in 0..MANY {
        put(&from.join(format!("cur/{number}.x.host:2,S")), &format!("Subject: {number}\n\nx\n"));
    }
    let path = from.to_str().unwrap();
    let words = ["import", "maildir", path, "--account", USER];
    let mut child = served.program.spawn(&words);
    let began = Instant::now();
    loop {
        let folders =
            served.program.run(&["mail", "list", "--folders", "--user", USER, "--json"]).done().json();
        let inbox = folders.as_array().unwrap().iter().find(|folder| folder["name"] == "INBOX").unwrap();
        if inbox["messages"].as_u64().unwrap() > 0 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "nothing is imported");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let report = import(&served.program, &["maildir", path]);
    let inbox = &report["folders"][0];
    let (known, imported) = (inbox["known"].as_u64().unwrap(), inbox["imported"].as_u64().unwrap());
    assert!(known > 0 && known + imported == MANY, "{report}");
    assert_eq!(export(&served.program, USER, "out").len() as u64, MANY);
}
