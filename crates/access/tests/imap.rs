//! Dialogues with the IMAP server: each file in `tests/imap` is one, against a store of its own.
//!
//! A line is `C:` (sent with CRLF) or `S:` (must come so; `…` stands for anything, but not for all of an answer), with a name
//! before it where several clients take part (`B C:`), or one of:
//! - `# …`: a remark;
//! - `deliver: text`: a message to INBOX, with `\n` for line ends (and `\0` for NUL, as everywhere);
//! - `large: text`: the same, with so much text after it that the body is a file;
//! - `bodies-gone:`: once all is indexed, files of bodies are removed: whoever reads one fails;
//! - `account: name`: makes `name@example.org` with the password `secret`;
//! - `login: name` (with a client's name before it or not): reads the greeting and logs in as `name@example.org`;
//! - `until: …`: lines come, then this one;
//! - `tls:`: the handshake, after STARTTLS; `compress:`: from here on all is compressed;
//! - `quota: octets`: what the account may have; `domain-quota: octets`: what those of the domain may have together;
//! - `churn: count`: so many changes of the account's folders;
//! - `octets: count`: so many `x` are sent, with nothing after them;
//! - `impatient:`, `require-tls:`, `imaps:`, `no-unauthenticate:` anywhere: clients hear at once that a command takes its time; nobody
//!   logs in without TLS; the port begins with the handshake; a connection is for one account.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use access::imap::Port;
use common::{Client, World, fits};
use net::Stream;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What a client does that has no name.
const STEPS: [&str; 5] = ["login:", "until:", "tls:", "compress:", "octets:"];
/// What is said of the server.
const SETTINGS: [&str; 4] = ["impatient:", "require-tls:", "imaps:", "no-unauthenticate:"];

async fn follow(script: &str) {
    let mut world = World::new().await;
    let is_set = |setting: &str| script.lines().any(|line| line.trim() == setting);
    if is_set("impatient:") {
        world.context.sign_of_life = Duration::ZERO;
    }
    world.context.require_tls = is_set("require-tls:");
    world.context.unauthenticate = Arc::new((!is_set("no-unauthenticate:")).into());
    let place = world.listen_imap(if is_set("imaps:") { Port::Imaps } else { Port::Imap });
    let mut clients: BTreeMap<String, Client<Stream>> = BTreeMap::new();
    for (number, line) in script.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || SETTINGS.contains(&line) {
            continue;
        }
        println!("{:4} {line}", number + 1);
        if let Some(text) = line.strip_prefix("deliver:") {
            world.deliver(&text.trim_start().replace("\\n", "\r\n").replace("\\0", "\0")).await;
            continue;
        }
        if let Some(text) = line.strip_prefix("large:") {
            let more = "and so on\r\n".repeat(50_000);
            world.deliver(&format!("{}{more}", text.trim_start().replace("\\n", "\r\n"))).await;
            continue;
        }
        if line == "bodies-gone:" {
            world.remove_bodies().await;
            continue;
        }
        if let Some(name) = line.strip_prefix("account:") {
            world.add_account(name.trim()).await;
            continue;
        }
        if let Some(octets) = line.strip_prefix("quota:") {
            world.limit(octets.trim().parse().unwrap()).await;
            continue;
        }
        if let Some(octets) = line.strip_prefix("domain-quota:") {
            world.limit_domain(octets.trim().parse().unwrap()).await;
            continue;
        }
        if let Some(count) = line.strip_prefix("churn:") {
            for number in 0..count.trim().parse().unwrap() {
                world.store.subscribe(world.account, "Churn", number % 2 == 0).await.unwrap();
            }
            continue;
        }
        let (who, step) = match line.split_once(' ') {
            Some((who, step)) if !line.starts_with("C:") && !line.starts_with("S:") => (who, step),
            _ => ("", line),
        };
        let (who, step) = if STEPS.contains(&who) { ("", line) } else { (who, step) };
        assert!(
            !says_nothing(step),
            "line {} holds whatever the server answers: say OK, NO or BAD",
            number + 1
        );
        if !clients.contains_key(who) {
            clients.insert(who.to_owned(), Client::call(&place).await);
        }
        let client = clients.get_mut(who).unwrap();
        if let Some(name) = step.strip_prefix("login:") {
            let login = format!("C: login LOGIN {}@example.org secret", name.trim());
            client.talk(&format!("S: * OK…\n{login}\nS: login OK…")).await;
        } else if step == "tls:" {
            let plain = clients.remove(who).unwrap();
            clients.insert(who.to_owned(), world.secure(plain.stream).await);
        } else if step == "compress:" {
            client.compress();
        } else if let Some(count) = step.strip_prefix("octets:") {
            client.send(&"x".repeat(count.trim().parse().unwrap())).await;
        } else if let Some(expected) = step.strip_prefix("until:") {
            while !fits(&client.line().await, expected.trim()) {}
        } else {
            client.talk(&step.replace("\\0", "\0")).await;
        }
    }
}

/// Whether any answer would do: a tag with nothing after it that could be otherwise.
fn says_nothing(step: &str) -> bool {
    let answer = ["S:", "until:"].iter().find_map(|kind| step.strip_prefix(kind)).unwrap_or_default().trim();
    matches!(answer.split_once(' '), Some((tag, "…")) if tag != "+")
}

#[test]
fn a_line_that_cannot_fail_is_no_line() {
    for (step, expected) in [
        ("S: a …", true),
        ("until: a …", true),
        ("S: …", false),
        ("S: + …", false),
        ("S: a OK…", false),
        ("S: a NO …", false),
        ("S: * 1 EXISTS", false),
        ("C: a …", false),
    ] {
        assert_eq!(says_nothing(step), expected, "{step}");
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
    appendlimit,
    apple_mail,
    apple_mail_returns,
    binary,
    bodies_are_not_read,
    closing,
    compress,
    envelope,
    expunged_by_another,
    first_steps,
    folders,
    imaps,
    inprogress,
    k9,
    keywords,
    list_extended,
    list_recursive,
    literals,
    login,
    metadata,
    mime_sections,
    moved_by_another,
    multiappend,
    notify,
    notify_condstore,
    notify_kinds,
    notify_metadata,
    notify_overflow,
    notify_shared,
    objects,
    qresync,
    quota,
    quota_domain,
    quota_exceeded,
    recent,
    rename,
    replace,
    search_parts,
    search_results,
    session_commands,
    shared_folders,
    shared_rights,
    sort_and_thread,
    thunderbird,
    thunderbird_daily,
    thunderbird_returns,
    two_clients,
    uidplus,
    uids_and_modseqs,
    unauthenticate,
    unauthenticate_not_offered,
    utf8,
);
