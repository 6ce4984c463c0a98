//! `waypost mail undelete`, after a mail program has removed messages, and a folder with all that was in it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may as well stop here")]

use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use xtask::imap::Imap;
use xtask::installation::{DOMAIN, Extra, HOSTNAME, IMAPS, Installation, PASSWORD, Server};

/// Waiting for what comes soon on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An account, and a program that has it open.
struct Account {
    installation: Installation,
    _server: Server,
    imap: Imap,
    user: String,
}

impl Account {
    /// With a message in each of these folders, called like it.
    fn new(folders: &[&str]) -> Self {
        let installation = Installation::new(Path::new(env!("CARGO_BIN_EXE_waypost"))).unwrap();
        installation.configure(&Extra::default()).unwrap();
        installation.populate(&["ann"]).unwrap();
        let _server = installation.serve().unwrap();
        let mut imap = Imap::connect(installation.place(IMAPS), installation.tls(), HOSTNAME).unwrap();
        let user = format!("ann@{DOMAIN}");
        imap.log_in(&user, PASSWORD).unwrap();
        for folder in folders {
            // Some are there from the beginning.
            let _ = imap.ask(&format!("CREATE {folder}"));
            imap.append(folder, format!("Subject: of {folder}\r\n\r\ntext\r\n").as_bytes()).unwrap();
        }
        Self { installation, _server, imap, user }
    }

    /// Removes all messages of a folder, for good as its program thinks.
    fn empty(&mut self, folder: &str) {
        self.imap.select(folder).unwrap();
        self.imap.ask(r"STORE 1:* +FLAGS.SILENT (\Deleted)").unwrap();
        self.imap.ask("EXPUNGE").unwrap();
        self.imap.ask("UNSELECT").unwrap();
    }

    fn undelete(&self, words: &[&str]) -> String {
        let all = [&["mail", "undelete", "--user", &self.user], words].concat();
        self.installation.command(&all, "").unwrap()
    }

    /// Folder and subject of what can be brought back.
    fn removed(&self, words: &[&str]) -> Vec<(String, String)> {
        let list: Value = serde_json::from_str(&self.undelete(&[words, &["--json"]].concat())).unwrap();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|one| (text(one, "folder"), text(one, "subject"))).collect()
    }
}

fn of(folders: &[&str]) -> Vec<(String, String)> {
    folders.iter().map(|&folder| (folder.to_owned(), format!("of {folder}"))).collect()
}

#[test]
fn what_was_in_any_folder_is_listed_and_comes_back() {
    let mut account = Account::new(&["INBOX", "Trash", "Work/Plans"]);
    account.empty("Trash");
    account.empty("INBOX");
    account.imap.ask("DELETE Work/Plans").unwrap();
    // What was in a removed folder follows slice by slice.
    let begun = Instant::now();
    while account.removed(&[]).len() < 3 {
        assert!(begun.elapsed() < PATIENCE, "a removed folder's messages cannot be brought back");
    }
    assert_eq!(account.removed(&[]), of(&["Trash", "INBOX", "Work/Plans"]));
    assert_eq!(account.removed(&["--folder", "Trash"]), of(&["Trash"]));
    let table = account.undelete(&[]);
    assert!(table.contains("folder") && table.contains("Work/Plans"), "{table}");

    let back = account.undelete(&["--folder", "Trash", "--all", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), json!({ "asked": 1, "back": 1 }));
    assert_eq!(account.removed(&[]), of(&["INBOX", "Work/Plans"]));
    assert_eq!(account.undelete(&["--all"]), "2 of 2 messages are back\n");
    assert_eq!(account.removed(&[]), []);
    for folder in ["INBOX", "Trash", "Work/Plans"] {
        assert_eq!(account.imap.select(folder).unwrap(), 1, "{folder}");
    }
}
