//! A client that does what it is told to and believes what it hears.

use super::picture::{Fetched, Flags, Message, Picture, Rules};
use super::response::{Response, code, code_set, parse};
use super::step::{Act, Change, FLAGS, FOLDERS, Which};
use crate::common::Client;
use net::{Endpoint, Stream};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// By folder and UID: what a message is, which never changes.
pub(crate) type Subjects = Arc<Mutex<BTreeMap<(usize, u32), String>>>;

/// What the clients of each kind enable.
const ENABLED: [&str; 4] = ["", "IMAP4rev2", "CONDSTORE", "IMAP4rev2 QRESYNC"];

pub(crate) struct Player {
    /// Its place in [`ENABLED`].
    pub(crate) kind: usize,
    /// Nobody else does anything meanwhile.
    pub(crate) alone: bool,
    pub(crate) picture: Option<Picture>,
    /// UIDs in the order of their numbers, as they must be by now.
    pub(crate) numbered: Vec<u32>,
    client: Client<Stream>,
    commands: usize,
    idle: Option<String>,
    /// Pictures of folders that were closed, for QRESYNC.
    kept: BTreeMap<usize, Picture>,
    subjects: Subjects,
}

/// What came of a command.
#[derive(Default)]
struct Done {
    status: String,
    text: String,
    fetched: Vec<Fetched>,
    found: Vec<u32>,
    vanished: Vec<u32>,
    codes: Vec<String>,
}

pub(crate) fn fresh_subject() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("s{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn names(flags: &[usize]) -> Vec<String> {
    flags.iter().map(|flag| FLAGS[*flag].to_owned()).collect()
}

impl Player {
    pub(crate) async fn log_in(kind: usize, place: &Endpoint, subjects: Subjects) -> Self {
        let client = Client::call(place).await;
        let (picture, idle) = (None, None);
        let kept = BTreeMap::new();
        let numbered = Vec::new();
        let (alone, commands) = (true, 0);
        let mut player = Self { kind, alone, picture, numbered, client, commands, idle, kept, subjects };
        player.client.line().await;
        player.ok("LOGIN me@example.org secret").await;
        if !ENABLED[kind].is_empty() {
            player.ok(&format!("ENABLE {}", ENABLED[kind])).await;
        }
        player
    }

    /// Does it. `Some`: what the client now must know, with what has gone if that may have been told.
    pub(crate) async fn act(&mut self, act: &Act) -> Option<bool> {
        self.end_idle().await;
        if self.picture.is_none() && !matches!(act, Act::Select { .. } | Act::Append { .. } | Act::Noop) {
            self.select(0, false).await;
        }
        match act {
            Act::Select { folder, read_only } => self.select(*folder, *read_only).await,
            Act::Close => self.leave("CLOSE").await,
            Act::Unselect => self.leave("UNSELECT").await,
            Act::Noop => self.ok("NOOP").await,
            Act::Idle => {
                self.idle = Some(self.send("IDLE").await);
                return None;
            }
            Act::Fetch { which, subject, marks } => {
                return self.fetch(*which, *subject, *marks).await.then_some(which.uid);
            }
            Act::Store { which, change, flags, silent, unchanged } => {
                return self.store(*which, *change, flags, *silent, *unchanged).await.then_some(which.uid);
            }
            Act::Search { uid, deleted } => {
                self.search(*uid, *deleted).await;
                return Some(*uid);
            }
            Act::Append { folder, flags } => {
                let body = format!("Subject: {}\r\n\r\nx\r\n", fresh_subject());
                let (folder, flags) = (FOLDERS[*folder], names(flags).join(" "));
                self.ok(&format!("APPEND {folder} ({flags}) {{{}+}}\r\n{body}", body.len())).await;
            }
            Act::Copy { which, to } => return self.transfer("COPY", *which, *to).await,
            Act::Move { which, to } => return self.transfer("MOVE", *which, *to).await,
            Act::Expunge => {
                let done = self.any("EXPUNGE").await;
                let picture = self.picture.as_mut().unwrap();
                picture.modseq = code(&done.text, "HIGHESTMODSEQ").unwrap_or(picture.modseq);
            }
            Act::UidExpunge { which } => {
                let (_, uids) = self.named(Which { uid: true, ..*which });
                if uids.is_empty() {
                    return None;
                }
                self.any(&format!("UID EXPUNGE {uids}")).await;
            }
        }
        Some(true)
    }

    /// Hears what is left to hear, and asks what it was never told.
    pub(crate) async fn finish(&mut self) {
        self.end_idle().await;
        if self.picture.is_none() {
            self.select(0, false).await;
        }
        self.ok("NOOP").await;
        self.ask(|message| message.uid.is_none() || message.flags.is_none()).await;
    }

    async fn select(&mut self, folder: usize, read_only: bool) {
        let before = self.picture.take();
        if let Some(before) = before {
            self.kept.insert(before.folder, before);
        }
        let kept = self.kept.remove(&folder).filter(|_| self.kind == 3);
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let qresync = kept.as_ref().map(|kept| format!(" (QRESYNC ({} {}))", kept.uidvalidity, kept.modseq));
        let command = format!("{verb} {}{}", FOLDERS[folder], qresync.unwrap_or_default());
        self.picture = Some(Picture { folder, ..Picture::default() });
        self.numbered = Vec::new();
        let done = self.command(&command, true).await;
        assert_eq!(done.status, "OK", "{command}: {}", done.text);
        let value = |name| done.codes.iter().find_map(|text| code(text, name)).unwrap();
        let (uidvalidity, modseq) = (value("UIDVALIDITY") as u32, value("HIGHESTMODSEQ"));
        let picture = self.picture.as_mut().unwrap();
        (picture.uidvalidity, picture.modseq) = (uidvalidity, modseq);
        match kept {
            Some(kept) => self.resynchronized(kept, &done).await,
            None => drop(self.ask(|_| true).await),
        }
    }

    /// What was known before, less what has vanished, with what changed since (RFC 7162 §3.2.5); what is new is last.
    async fn resynchronized(&mut self, kept: Picture, done: &Done) {
        let picture = self.picture.as_mut().unwrap();
        assert_eq!(kept.uidvalidity, picture.uidvalidity);
        if kept.messages.iter().any(|message| message.uid.is_none()) {
            self.ask(|_| true).await;
            return;
        }
        let (mut known, exists) = (kept.by_uid(), picture.messages.len());
        known.retain(|uid, _| !done.vanished.contains(uid));
        known.extend(picture.by_uid());
        assert!(known.len() <= exists, "{known:?} should be {exists} messages");
        picture.messages = known.into_values().collect();
        picture.exists(exists);
        self.ask(|message| message.uid.is_none()).await;
    }

    async fn leave(&mut self, verb: &str) {
        self.ok(verb).await;
        if let Some(picture) = self.picture.take() {
            self.kept.insert(picture.folder, picture);
        }
        self.numbered = Vec::new();
    }

    /// Asks by number for messages of which something is not known; `false`: there were none.
    async fn ask(&mut self, unknown: impl Fn(&Message) -> bool) -> bool {
        let messages = &self.picture.as_ref().unwrap().messages;
        let numbers = messages.iter().enumerate().filter(|(_, message)| unknown(message));
        let numbers: Vec<String> = numbers.map(|(place, _)| (place + 1).to_string()).collect();
        if numbers.is_empty() {
            return false;
        }
        let modseq = if self.kind >= 2 { " MODSEQ" } else { "" };
        let command = format!("FETCH {} (UID FLAGS{modseq})", numbers.join(","));
        assert_eq!(self.command(&command, false).await.status, "OK");
        true
    }

    /// `false`: there is nothing that could be named.
    async fn fetch(&mut self, which: Which, subject: bool, marks: bool) -> bool {
        let (places, set) = self.named(which);
        if set.is_empty() {
            return false;
        }
        let uids: Vec<Option<u32>> = self.uids_at(&places);
        let modseq = if self.kind >= 2 { " MODSEQ" } else { "" };
        let peek = if marks { "" } else { ".PEEK" };
        let subject_item =
            format!(" ENVELOPE BODYSTRUCTURE BODY{peek}[HEADER.FIELDS (SUBJECT)] BODY{peek}[]");
        let subject_item = if subject { subject_item.as_str() } else { "" };
        let verb = if which.uid { "UID FETCH" } else { "FETCH" };
        let command = format!("{verb} {set} (UID FLAGS{modseq}{subject_item})");
        let done = self.command(&command, which.uid).await;
        assert_eq!(done.status, "OK", "{command}: {}", done.text);
        // What this client has not been told to be gone is still there for it, removed or moved away.
        for (place, uid) in places.into_iter().zip(uids) {
            let of = |fetched: &&Fetched| match which.uid {
                true => fetched.uid == uid,
                false => fetched.number == place + 1,
            };
            let told: Vec<&Fetched> = done.fetched.iter().filter(of).collect();
            assert!(!told.is_empty(), "{command} does not tell of {place} ({uid:?})");
            let whole = |told: &&Fetched| {
                told.flags.is_some() && (!subject || told.subject.is_some() && told.is_whole)
            };
            assert!(told.iter().any(whole), "{command} does not tell all of {place} ({uid:?}): {told:?}");
        }
        true
    }

    async fn store(
        &mut self,
        which: Which,
        change: Change,
        flags: &[usize],
        silent: bool,
        unchanged: bool,
    ) -> bool {
        let (places, set) = self.named(which);
        if set.is_empty() {
            return false;
        }
        let picture = self.picture.as_ref().unwrap();
        let highest = picture.messages.iter().map(|message| message.modseq).max().unwrap_or(0);
        let unchanged = match unchanged && self.kind >= 2 && highest > 0 {
            true => format!(" (UNCHANGEDSINCE {highest})"),
            false => String::new(),
        };
        let verb = if which.uid { "UID STORE" } else { "STORE" };
        let sign = match change {
            Change::Add => "+",
            Change::Remove => "-",
            Change::Replace => "",
        };
        let silent_word = if silent { ".SILENT" } else { "" };
        let flags = names(flags);
        let command = format!("{verb} {set}{unchanged} {sign}FLAGS{silent_word} ({})", flags.join(" "));
        let uids = self.uids_at(&places);
        let done = self.command(&command, which.uid).await;
        if silent && !self.alone {
            // What others did in between is not to be told apart.
            self.forget_flags(&uids);
        }
        assert_ne!(done.status, "BAD", "{command}: {}", done.text);
        if done.status != "OK" {
            return true;
        }
        let modified = code_set(&done.text, "MODIFIED");
        let named = |place: usize, uid: Option<u32>| if which.uid { uid } else { Some(place as u32 + 1) };
        for (place, uid) in places.iter().zip(uids) {
            if named(*place, uid).is_some_and(|named| modified.contains(&named)) {
                continue;
            }
            if silent && self.alone {
                self.changed((!which.uid).then_some(*place), uid, change, &flags);
            } else if let (false, true, Some(uid)) = (silent, which.uid, uid) {
                let told = done.fetched.iter().any(|fetched| fetched.uid == Some(uid));
                assert!(told || !self.alone, "{command} does not tell of UID {uid}");
            }
        }
        true
    }

    fn forget_flags(&mut self, uids: &[Option<u32>]) {
        for message in &mut self.picture.as_mut().unwrap().messages {
            if message.uid.is_none() || uids.contains(&message.uid) {
                message.flags = None;
            }
        }
    }

    /// What a silent STORE did, which nobody tells: to a place, if numbers stayed, or to a UID.
    fn changed(&mut self, place: Option<usize>, uid: Option<u32>, change: Change, flags: &[String]) {
        let messages = &mut self.picture.as_mut().unwrap().messages;
        let by_uid = || messages.iter().position(|message| uid.is_some() && message.uid == uid);
        let Some(place) = place.or_else(by_uid) else { return };
        let Some(known) = messages[place].flags.as_mut() else { return };
        let flags: Flags = flags.iter().cloned().collect();
        match change {
            Change::Add => known.extend(flags),
            Change::Remove => known.retain(|flag| !flags.contains(flag)),
            Change::Replace => *known = flags,
        }
    }

    async fn search(&mut self, uid: bool, deleted: bool) {
        let key = if deleted { "DELETED" } else { "ALL" };
        let verb = if uid { "UID SEARCH" } else { "SEARCH" };
        let before = self.picture.as_ref().unwrap().messages.clone();
        let done = self.command(&format!("{verb} {key}"), uid).await;
        assert_eq!(done.status, "OK", "{}", done.text);
        if !uid {
            let highest = done.found.last().copied().unwrap_or(0) as usize;
            assert!(highest <= before.len(), "{verb} finds number {highest} of {}", before.len());
        }
    }

    /// As [`Player::act`].
    async fn transfer(&mut self, verb: &str, which: Which, to: usize) -> Option<bool> {
        let (_, set) = self.named(which);
        if set.is_empty() {
            return None;
        }
        let uid = if which.uid { "UID " } else { "" };
        self.any(&format!("{uid}{verb} {set} {}", FOLDERS[to])).await;
        Some(true)
    }

    /// Places in the picture, and the set that names them; empty when it cannot be named.
    fn named(&self, which: Which) -> (Vec<usize>, String) {
        let messages = self.picture.as_ref().map_or(&[][..], |picture| &picture.messages);
        let Some(from) = usize::from(which.from).checked_rem(messages.len()) else {
            return Default::default();
        };
        let to = (from + usize::from(which.more)).min(messages.len() - 1);
        if !which.uid {
            return ((from..=to).collect(), format!("{}:{}", from + 1, to + 1));
        }
        let places: Vec<usize> = (from..=to).filter(|place| messages[*place].uid.is_some()).collect();
        let uids: Vec<String> =
            places.iter().map(|place| messages[*place].uid.unwrap().to_string()).collect();
        (places, uids.join(","))
    }

    fn uids_at(&self, places: &[usize]) -> Vec<Option<u32>> {
        let messages = &self.picture.as_ref().unwrap().messages;
        places.iter().map(|place| messages[*place].uid).collect()
    }

    /// `false`: it was not in IDLE.
    pub(crate) async fn end_idle(&mut self) -> bool {
        let Some(tag) = self.idle.take() else { return false };
        self.client.send("DONE\r\n").await;
        let (uid, modseq, qresync) = (self.kind >= 1, self.kind >= 2, self.kind == 3);
        let rules = Rules { expunges: true, uid, modseq, qresync };
        assert_eq!(self.listen(&tag, rules).await.status, "OK");
        true
    }

    async fn ok(&mut self, command: &str) {
        let done = self.command(command, true).await;
        assert_eq!(done.status, "OK", "{command}: {}", done.text);
    }

    /// What the server may refuse, but has to understand.
    async fn any(&mut self, command: &str) -> Done {
        let done = self.command(command, true).await;
        assert_ne!(done.status, "BAD", "{command}: {}", done.text);
        done
    }

    async fn command(&mut self, command: &str, expunges: bool) -> Done {
        let tag = self.send(command).await;
        let modseq = self.kind >= 2;
        let rules = Rules { expunges, uid: self.kind >= 1, modseq, qresync: self.kind == 3 };
        self.listen(&tag, rules).await
    }

    async fn send(&mut self, command: &str) -> String {
        self.commands += 1;
        let tag = format!("c{}", self.commands);
        self.client.send(&format!("{tag} {command}\r\n")).await;
        tag
    }

    /// Hears all that comes until the command is answered.
    async fn listen(&mut self, tag: &str, rules: Rules) -> Done {
        let mut done = Done::default();
        loop {
            let line = self.response().await;
            match parse(&line) {
                Response::Tagged { tag: answered, status, text } => {
                    assert_eq!(answered, tag, "{line}");
                    return Done { status, text, ..done };
                }
                Response::Search(found) => done.found = found,
                Response::Vanished { earlier: true, uids } => done.vanished.extend(uids),
                Response::Status(text) => done.codes.push(text),
                Response::Continue | Response::Other => {}
                other => self.hear(other, rules, &mut done),
            }
        }
    }

    fn hear(&mut self, response: Response, rules: Rules, done: &mut Done) {
        let picture = self.picture.as_mut().unwrap_or_else(|| panic!("{response:?} of no folder"));
        match response {
            Response::Exists(count) => picture.exists(count),
            Response::Expunge(number) => picture.expunge(number, rules),
            Response::Vanished { uids, .. } => {
                picture.vanished(&uids, rules);
                done.vanished.extend(uids);
            }
            Response::Fetch(fetched) => {
                picture.fetched(&fetched, rules);
                if let (Some(uid), Some(subject)) = (fetched.uid, &fetched.subject) {
                    let mut subjects = self.subjects.lock().unwrap();
                    let known = subjects.entry((picture.folder, uid)).or_insert_with(|| subject.clone());
                    assert_eq!(known, subject, "UID {uid} is another message than it was");
                }
                done.fetched.push(fetched);
            }
            _ => {}
        }
    }

    /// The next response, with its literals in place.
    async fn response(&mut self) -> String {
        let mut whole = self.client.line().await;
        while let Some((before, length)) = announced(&whole) {
            let mut literal = String::new();
            while literal.len() < length {
                literal.push_str(&self.client.line().await);
                literal.push_str("\r\n");
            }
            whole = format!("{before}{literal}{}", self.client.line().await);
        }
        whole
    }
}

/// What stands before a literal at the end of a line, and its length.
fn announced(line: &str) -> Option<(String, usize)> {
    let (before, length) = line.strip_suffix('}')?.rsplit_once('{')?;
    Some((before.to_owned(), length.parse().ok()?))
}
