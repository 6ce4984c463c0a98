use super::*;

/// A folder of files, by path and content; one that ends in `/` is a directory.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = root.path().join(name);
        if name.ends_with('/') {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }
    root
}

#[test]
fn folders_of_both_layouts_are_found() {
    let root = tree(&[
        ("cur/", ""),
        ("new/", ""),
        (".Archive.2024/cur/", ""),
        (".Entw&APw-rfe/new/", ""),
        ("Lists/rust/cur/", ""),
        ("Lists/rust/.hidden/cur/", ""),
        (".Empty/other/", ""),
        ("dovecot.index.cache", "x"),
    ]);
    let found: Vec<String> =
        folders(root.path()).unwrap().into_iter().map(|folder| folder.levels.join("|")).collect();
    assert_eq!(found, ["", "Archive|2024", "Entw&APw-rfe", "Lists|rust"]);
    let nothing = tree(&[("a/b/c", "")]);
    assert!(matches!(folders(nothing.path()), Err(Error::NotMaildir(_))));
}

#[test]
fn flags_are_read_from_names() {
    let check = |name: &str, new: bool, expected: &str| {
        let keywords = Keywords::read(tree(&[("dovecot-keywords", "0 $Junk\n2 work\nx y\n99 z\n")]).path());
        let flags = Entry { name: name.into(), new }.flags(&keywords);
        let marks = [
            (flags.seen, "seen"),
            (flags.answered, "answered"),
            (flags.flagged, "flagged"),
            (flags.deleted, "deleted"),
            (flags.draft, "draft"),
        ];
        let mut words: Vec<&str> = marks.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
        words.extend(flags.keywords.iter().map(String::as_str));
        assert_eq!(words.join(" "), expected, "{name}");
    };
    check("1.a.host:2,", false, "");
    check("1.a.host", false, "");
    check("1.a.host,S=5,W=6:2,DFRST", false, "seen answered flagged deleted draft");
    check("1.a.host:2,PSa", false, "seen $Forwarded $Junk");
    check("1.a.host:2,abcz", false, "$Junk work");
    check("1.a.host:2,S", true, "");
}

#[test]
fn messages_come_in_the_order_they_arrived() {
    let root = tree(&[
        ("cur/30.a.host:2,S", ""),
        ("cur/4.b.host,S=9:2,", ""),
        ("cur/.hidden", ""),
        ("new/200.c.host", ""),
        ("new/5.d.host", ""),
    ]);
    let names = |root: &Path| -> Vec<String> {
        let all = entries(root).unwrap();
        all.iter().map(|entry| String::from_utf8(entry.unique().to_vec()).unwrap()).collect()
    };
    assert_eq!(names(root.path()), ["4.b.host", "5.d.host", "30.a.host", "200.c.host"]);
    std::fs::write(root.path().join("dovecot-uidlist"), "3 V1 N9\n2 W7 :5.d.host\n1 :200.c.host,S=9\n")
        .unwrap();
    assert_eq!(names(root.path()), ["200.c.host", "5.d.host", "4.b.host", "30.a.host"]);
    std::fs::write(root.path().join("dovecot-uidlist"), "1 1 9\n1 30.a.host\n").unwrap();
    assert_eq!(names(root.path())[0], "30.a.host");
}

#[test]
fn a_message_with_new_flags_is_found_again() {
    let root = tree(&[("cur/1.a.host:2,", "")]);
    let entry = entries(root.path()).unwrap().remove(0);
    std::fs::rename(entry.path(root.path()), root.path().join("cur/1.a.host:2,S")).unwrap();
    let again = find_again(root.path(), &entry).unwrap().unwrap();
    assert!(again.flags(&Keywords::default()).seen);
}

#[test]
fn subscriptions_are_read_in_all_their_forms() {
    for (file, text) in [
        ("subscriptions", "V\t2\n\nINBOX\nArchive\t2024\n"),
        ("subscriptions", "INBOX\nArchive.2024\n"),
        ("courierimapsubscribed", "INBOX\nINBOX.Archive.2024\n"),
    ] {
        let root = tree(&[(file, text)]);
        let names: Vec<String> = subscriptions(root.path()).iter().map(|levels| levels.join("|")).collect();
        assert_eq!(names, ["INBOX", "Archive|2024"], "{text:?}");
    }
    let root = tree(&[("cur/", "")]);
    assert!(subscriptions(root.path()).is_empty());
    let names = vec![vec!["INBOX".to_owned()], vec!["a b".to_owned(), "c".to_owned()]];
    write_subscriptions(root.path(), &names).unwrap();
    assert_eq!(subscriptions(root.path()), names);
}

#[test]
fn what_is_written_is_read_again_and_not_written_twice() {
    let root = tempfile::tempdir().unwrap();
    let levels = ["Archive".to_owned(), "2024".to_owned()];
    let keywords: Vec<String> = ["$Forwarded", "work"].map(str::to_owned).into();
    let flags = Flags { seen: true, draft: true, keywords, ..Flags::default() };
    let meta = Meta { flags: flags.clone(), received: 1_000_000_123_000 };
    let mut writer = FolderWriter::open(root.path(), &levels).unwrap();
    assert!(!writer.refresh("7.a.host", &meta).unwrap());
    let mut delivery = writer.begin("7.a.host").unwrap();
    delivery.write(b"Subject: x\n\n").unwrap();
    writer.finish(delivery, &meta).unwrap();
    // Begun, and never finished.
    writer.begin("8.b.host").unwrap().write(b"half").unwrap();

    let mut writer = FolderWriter::open(root.path(), &levels).unwrap();
    let folder = root.path().join(".Archive.2024");
    assert!(folder.join("maildirfolder").exists());
    let list = entries(&folder).unwrap();
    assert_eq!(list.len(), 1);
    let read = |list: &[Entry]| list[0].flags(&Keywords::read(&folder));
    assert_eq!(read(&list), flags);
    let file = list[0].path(&folder);
    assert!(file.to_str().unwrap().ends_with("/cur/7.a.host,S=12:2,DPSab"), "{file:?}");
    let modified = std::fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_000_000_123);

    let flags = Flags { answered: true, keywords: vec!["other".into()], ..Flags::default() };
    assert!(writer.refresh("7.a.host", &Meta { flags: flags.clone(), received: 0 }).unwrap());
    assert_eq!(read(&entries(&folder).unwrap()), flags);
}

#[test]
fn a_folder_has_26_letters() {
    let root = tempfile::tempdir().unwrap();
    let mut writer = FolderWriter::open(root.path(), &[]).unwrap();
    let keywords: Vec<String> = (0..30).map(|number| format!("word{number}")).collect();
    let meta = Meta { flags: Flags { keywords, ..Flags::default() }, received: 0 };
    let delivery = writer.begin("1.a").unwrap();
    writer.finish(delivery, &meta).unwrap();
    assert_eq!(writer.lost_keywords(), 4);
    let read = entries(root.path()).unwrap()[0].flags(&Keywords::read(root.path()));
    assert_eq!(read.keywords, meta.flags.keywords[..MAX_LETTERS]);
}
