//! Dialogues with the IMAP server: each file in `tests/imap` is one, against a store of its own.
//!
//! A line is `C:` (sent with CRLF) or `S:` (must come so; `…` stands for anything), with a name before it where several
//! clients take part (`B C:`), or one of:
//! - `# …`: a remark;
//! - `deliver: text`: a message to INBOX, with `\n` for line ends (and `\0` for NUL, as everywhere);
//! - `account: name`: makes `name@example.org` with the password `secret`;
//! - `login: name` (with a client's name before it or not): reads the greeting and logs in as `name@example.org`;
//! - `until: …`: lines come, then this one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use access::imap::Port;
use common::{Client, World, fits};
use net::Stream;
use std::collections::BTreeMap;
use std::path::Path;

/// What a client does that has no name.
const STEPS: [&str; 2] = ["login:", "until:"];

async fn follow(script: &str) {
    let world = World::new().await;
    let place = world.listen_imap(Port::Imap);
    let mut clients: BTreeMap<String, Client<Stream>> = BTreeMap::new();
    for (number, line) in script.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        println!("{:4} {line}", number + 1);
        if let Some(text) = line.strip_prefix("deliver:") {
            world.deliver(&text.trim_start().replace("\\n", "\r\n").replace("\\0", "\0")).await;
            continue;
        }
        if let Some(name) = line.strip_prefix("account:") {
            world.add_account(name.trim()).await;
            continue;
        }
        let (who, step) = match line.split_once(' ') {
            Some((who, step)) if !line.starts_with("C:") && !line.starts_with("S:") => (who, step),
            _ => ("", line),
        };
        let (who, step) = if STEPS.contains(&who) { ("", line) } else { (who, step) };
        if !clients.contains_key(who) {
            clients.insert(who.to_owned(), Client::call(&place).await);
        }
        let client = clients.get_mut(who).unwrap();
        if let Some(name) = step.strip_prefix("login:") {
            let login = format!("C: login LOGIN {}@example.org secret", name.trim());
            client.talk(&format!("S: * OK…\n{login}\nS: login OK…")).await;
        } else if let Some(expected) = step.strip_prefix("until:") {
            while !fits(&client.line().await, expected.trim()) {}
        } else {
            client.talk(&step.replace("\\0", "\0")).await;
        }
    }
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imap").join(name).with_extension("imap");
    let script = std::fs::read_to_string(path).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(follow(&script));
}

macro_rules! dialogues {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_dialogue_is_run() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imap");
            for file in std::fs::read_dir(folder).unwrap() {
                let name = file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
                assert!([$(stringify!($name)),*].contains(&name.as_str()), "{name} is not listed");
            }
        }
    };
}

dialogues!(
    append_and_fetch,
    apple_mail,
    binary,
    expunged_by_another,
    first_steps,
    folders,
    keywords,
    list_extended,
    metadata,
    mime_sections,
    multiappend,
    notify,
    objects,
    qresync,
    quota,
    replace,
    search_results,
    session_commands,
    shared_folders,
    sort_and_thread,
    thunderbird,
    two_clients,
    uids_and_modseqs,
    utf8,
);
