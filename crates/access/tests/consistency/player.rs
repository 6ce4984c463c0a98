//! A client that does what it is told to and believes what it hears.

use super::link::{Done, Gone, Told};
use super::picture::{Fetched, Flags, Message, Picture};
use super::response::{code, code_set};
use super::seen::Seen;
use super::step::{Act, Change, FLAGS, FOLDERS, KEYS, RIGHTS, Which};
use super::truth::Allowed;
use crate::common::Client;
use net::{Endpoint, Stream};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// By UIDVALIDITY and UID: what a message is, which never changes.
pub(crate) type Subjects = Arc<Mutex<BTreeMap<(u32, u32), String>>>;

/// What a client is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Whose it is: `me`, the owner of the folders, or `you`, who sees those that are shared.
    pub(crate) account: &'static str,
    pub(crate) enables: &'static str,
    /// It is told of everything at once (RFC 5465), and therefore names messages by UID alone.
    pub(crate) notify: bool,
}

pub(crate) const KINDS: [Kind; 7] = [
    Kind { account: "me", enables: "", notify: false },
    Kind { account: "me", enables: "IMAP4rev2", notify: false },
    Kind { account: "me", enables: "CONDSTORE", notify: false },
    Kind { account: "me", enables: "IMAP4rev2 QRESYNC", notify: false },
    Kind { account: "you", enables: "CONDSTORE", notify: false },
    Kind { account: "me", enables: "", notify: true },
    Kind { account: "you", enables: "IMAP4rev2", notify: true },
];

impl Kind {
    pub(crate) fn owns(&self) -> bool {
        self.account == "me"
    }

    pub(crate) fn has_condstore(&self) -> bool {
        self.enables.contains("CONDSTORE") || self.has_qresync()
    }

    pub(crate) fn has_qresync(&self) -> bool {
        self.enables.contains("QRESYNC")
    }

    /// Each FETCH that it has not asked for has a UID.
    pub(crate) fn hears_uids(&self) -> bool {
        !self.enables.is_empty() || self.notify
    }

    /// What it calls a folder of [`FOLDERS`].
    pub(crate) fn name(&self, folder: usize) -> String {
        match self.owns() {
            true => FOLDERS[folder].to_owned(),
            false => format!("Shared/me@example.org/{}", FOLDERS[folder]),
        }
    }
}

pub(crate) struct Player {
    /// Its place in [`KINDS`].
    pub(crate) number: usize,
    /// What it may do, as long as nobody else does anything.
    pub(crate) allowed: Option<Allowed>,
    pub(crate) picture: Option<Picture>,
    /// The folder that a SELECT under way opens, while another is open.
    pub(crate) opening: Option<Picture>,
    /// UIDs in the order of their numbers, as they must be by now.
    pub(crate) numbered: Vec<u32>,
    /// What it knows of folders that it has not open.
    pub(crate) seen: Seen,
    /// UIDVALIDITY of a folder of which it was told that it is no more.
    pub(crate) gone: Option<u32>,
    pub(crate) searched: Option<Searched>,
    pub(crate) place: Endpoint,
    pub(crate) client: Client<Stream>,
    pub(crate) commands: usize,
    pub(crate) idle: Option<String>,
    /// Pictures of folders that were closed, for QRESYNC.
    pub(crate) kept: BTreeMap<usize, Picture>,
    pub(crate) subjects: Subjects,
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Searched {
    /// In [`KEYS`].
    pub(crate) key: usize,
    pub(crate) uid: bool,
    pub(crate) found: Vec<u32>,
    /// UIDs by number, as they were when it was asked for.
    pub(crate) numbered: Vec<u32>,
}

pub(crate) fn fresh_subject() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("s{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn names(flags: &[usize]) -> Vec<String> {
    flags.iter().map(|flag| FLAGS[*flag].to_owned()).collect()
}

impl Player {
    pub(crate) async fn log_in(number: usize, place: &Endpoint, subjects: Subjects) -> Self {
        let client = Client::call(place).await;
        let mut player = Self {
            number,
            allowed: None,
            picture: None,
            opening: None,
            numbered: Vec::new(),
            seen: Seen::default(),
            gone: None,
            searched: None,
            place: place.clone(),
            client,
            commands: 0,
            idle: None,
            kept: BTreeMap::new(),
            subjects,
        };
        player.greet().await.expect("no folder is open");
        player
    }

    pub(crate) fn kind(&self) -> &'static Kind {
        &KINDS[self.number]
    }

    /// Nobody else does anything meanwhile.
    fn alone(&self) -> bool {
        self.allowed.is_some()
    }

    /// Does it. `Some`: what the client now must know, with what has gone if that may have been told.
    pub(crate) async fn act(&mut self, act: &Act) -> Option<bool> {
        match self.try_to(act).await {
            Ok(knows) => knows,
            Err(Gone) => {
                self.begin_again().await;
                None
            }
        }
    }

    async fn try_to(&mut self, act: &Act) -> Told<Option<bool>> {
        self.stop_idle().await?;
        if self.picture.is_none() && act.needs_folder() && !self.select(0, false).await? {
            return Ok(None);
        }
        let knows = match act {
            Act::Fetch { .. } | Act::Store { .. } | Act::Search { .. } | Act::Noop | Act::Idle => {
                return self.look(act).await;
            }
            Act::Copy { which, to } => self.transfer("COPY", *which, *to).await?,
            Act::Move { which, to } => self.transfer("MOVE", *which, *to).await?,
            Act::UidExpunge { which } => self.expunge(Some(*which)).await?,
            Act::Expunge => self.expunge(None).await?,
            _ => self.with_folders(act).await?,
        };
        // Of what it did itself it is not told.
        self.look_again().await?;
        Ok(knows.then_some(true))
    }

    async fn look(&mut self, act: &Act) -> Told<Option<bool>> {
        // Numbers are of no use to who is told of expunges at any time.
        let by = |which: &Which, notify: bool| Which { uid: which.uid || notify, ..*which };
        let notify = self.kind().notify;
        Ok(match act {
            Act::Fetch { which, subject, marks } => {
                let which = by(which, notify);
                self.fetch(which, *subject, *marks).await?.then_some(which.uid)
            }
            Act::Store { which, change, flags, silent, unchanged } => {
                let which = by(which, notify);
                self.store(which, *change, flags, *silent, *unchanged).await?.then_some(which.uid)
            }
            Act::Search { uid, key } => {
                self.search(*uid || notify, *key).await?;
                Some(*uid || notify)
            }
            Act::Idle => {
                self.idle = Some(self.send("IDLE").await);
                None
            }
            _ => {
                self.ok("NOOP").await?;
                Some(true)
            }
        })
    }

    /// `false`: what is new was not told, as where a message is refused before it comes.
    async fn with_folders(&mut self, act: &Act) -> Told<bool> {
        match act {
            Act::Select { folder, read_only } => {
                self.select(*folder, *read_only).await?;
            }
            Act::Close => self.leave("CLOSE").await?,
            Act::Unselect => self.leave("UNSELECT").await?,
            Act::Append { folder, flags } => {
                let body = format!("Subject: {}\r\n\r\nx\r\n", fresh_subject());
                let (name, flags) = (self.kind().name(*folder), names(flags).join(" "));
                let command = format!("APPEND {name} ({flags}) {{{}+}}\r\n{body}", body.len());
                let done = self.any(&command).await?;
                self.must_be(&done, "APPEND", |allowed| allowed.may(*folder, 'i'));
                return Ok(done.status == "OK");
            }
            Act::Create { folder } => {
                let done = self.any(&format!("CREATE {}", self.kind().name(*folder))).await?;
                self.must_be_for_owner(&done, "CREATE", |allowed| !allowed.is_there(*folder));
                self.seen.made(&done.status, self.kind().name(*folder));
            }
            Act::Delete { folder } => {
                // Who removes what he has open is left without a word.
                if self.picture.is_some() {
                    self.leave("UNSELECT").await?;
                }
                let done = self.any(&format!("DELETE {}", self.kind().name(*folder))).await?;
                self.must_be(&done, "DELETE", |allowed| allowed.may(*folder, 'x'));
                self.seen.removed(&done.status, &self.kind().name(*folder));
            }
            Act::Rename { from, to } => {
                let (old, new) = (self.kind().name(*from), self.kind().name(*to));
                let done = self.any(&format!("RENAME {old} {new}")).await?;
                self.must_be_for_owner(&done, "RENAME", |allowed| {
                    allowed.is_there(*from) && !allowed.is_there(*to)
                });
                if done.status == "OK" {
                    self.seen.listed(&[], new, Some(&old));
                }
            }
            Act::Share { folder, rights } => {
                let (name, letters) = (self.kind().name(*folder), RIGHTS[*rights]);
                let command = match letters {
                    "" => format!("DELETEACL {name} you@example.org"),
                    letters => format!("SETACL {name} you@example.org {letters}"),
                };
                let done = self.any(&command).await?;
                self.must_be(&done, &command, |allowed| allowed.may(*folder, 'a'));
            }
            other => panic!("{other:?} is about messages"),
        }
        Ok(true)
    }

    /// Whether the server carried out what it had to, and nothing else, as far as that can be known.
    fn must_be(&self, done: &Done, command: &str, allowed: impl Fn(&Allowed) -> bool) {
        let Some(known) = &self.allowed else { return };
        let expected = if allowed(known) { "OK" } else { "NO" };
        assert_eq!(done.status, expected, "{command} of {:?}: {} with {known:?}", self.kind(), done.text);
    }

    fn must_be_for_owner(&self, done: &Done, command: &str, allowed: impl Fn(&Allowed) -> bool) {
        self.must_be(done, command, |known| self.kind().owns() && allowed(known));
    }

    /// Hears what is left to hear, and asks what it was never told.
    pub(crate) async fn finish(&mut self) {
        self.end_idle().await;
        if self.finish_with_folder().await.is_err() {
            self.begin_again().await;
            self.finish_with_folder().await.expect("INBOX stays");
        }
    }

    async fn finish_with_folder(&mut self) -> Told<()> {
        if self.picture.is_none() {
            self.select(0, false).await?;
        }
        self.ok("NOOP").await?;
        self.ask(|message| message.uid.is_none() || message.flags.is_none()).await?;
        Ok(())
    }

    /// `false`: it may not.
    async fn select(&mut self, folder: usize, read_only: bool) -> Told<bool> {
        let open = self.picture.as_ref().filter(|picture| picture.folder == folder);
        let kept = open.or_else(|| self.kept.get(&folder)).filter(|_| self.kind().has_qresync()).cloned();
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let qresync = kept.as_ref().map(|kept| format!(" (QRESYNC ({} {}))", kept.uidvalidity, kept.modseq));
        let command = format!("{verb} {}{}", self.kind().name(folder), qresync.unwrap_or_default());
        let opening = Picture { folder, ..Picture::default() };
        match self.picture.is_some() {
            true => self.opening = Some(opening),
            false => self.picture = Some(opening),
        }
        let done = self.any(&command).await?;
        assert!(self.opening.is_none(), "{command}: nobody said that the folder before is closed");
        self.numbered = Vec::new();
        self.must_be(&done, &command, |allowed| allowed.may(folder, 'r'));
        if done.status != "OK" {
            self.picture = None;
            return Ok(false);
        }
        let modseq = done.codes.iter().find_map(|text| code(text, "HIGHESTMODSEQ")).unwrap();
        let picture = self.picture.as_mut().unwrap();
        picture.modseq = modseq;
        match kept {
            Some(kept) if kept.uidvalidity == picture.uidvalidity => self.resynchronized(kept, &done).await?,
            _ => {
                self.ask(|_| true).await?;
            }
        }
        self.numbered = self.picture.iter().flat_map(Picture::uids).collect();
        if let Some(allowed) = &mut self.allowed {
            allowed.opened(folder);
        }
        Ok(true)
    }

    /// What was known before, less what has vanished, with what changed since (RFC 7162 §3.2.5); what is new is last.
    async fn resynchronized(&mut self, kept: Picture, done: &Done) -> Told<()> {
        let picture = self.picture.as_mut().unwrap();
        if kept.messages.iter().any(|message| message.uid.is_none()) {
            self.ask(|_| true).await?;
            return Ok(());
        }
        let (mut known, exists) = (kept.by_uid(), picture.messages.len());
        known.retain(|uid, _| !done.vanished.contains(uid));
        known.extend(picture.by_uid());
        assert!(known.len() <= exists, "{known:?} should be {exists} messages");
        picture.messages = known.into_values().collect();
        picture.exists(exists);
        self.ask(|message| message.uid.is_none()).await?;
        Ok(())
    }

    async fn leave(&mut self, verb: &str) -> Told<()> {
        self.ok(verb).await?;
        if let Some(picture) = self.picture.take() {
            self.kept.insert(picture.folder, picture);
        }
        self.numbered = Vec::new();
        Ok(())
    }

    /// Asks for messages of which something is not known; `false`: there were none.
    async fn ask(&mut self, unknown: impl Fn(&Message) -> bool) -> Told<bool> {
        let messages = &self.picture.as_ref().unwrap().messages;
        let numbers = messages.iter().enumerate().filter(|(_, message)| unknown(message));
        let numbers: Vec<String> = numbers.map(|(place, _)| (place + 1).to_string()).collect();
        if numbers.is_empty() {
            return Ok(false);
        }
        let modseq = self.modseq();
        let command = match self.kind().notify {
            true => "UID FETCH 1:* (UID FLAGS)".to_owned(),
            false => format!("FETCH {} (UID FLAGS{modseq})", numbers.join(",")),
        };
        assert_eq!(self.command(&command, false).await?.status, "OK", "{command}");
        Ok(true)
    }

    /// What is asked for besides flags.
    fn modseq(&self) -> &'static str {
        if self.kind().has_condstore() { " MODSEQ" } else { "" }
    }

    /// `false`: there is nothing that could be named.
    async fn fetch(&mut self, which: Which, subject: bool, marks: bool) -> Told<bool> {
        let (places, set) = self.named(which);
        if set.is_empty() {
            return Ok(false);
        }
        let uids: Vec<Option<u32>> = self.uids_at(&places);
        let modseq = self.modseq();
        let peek = if marks { "" } else { ".PEEK" };
        let subject_item =
            format!(" ENVELOPE BODYSTRUCTURE BODY{peek}[HEADER.FIELDS (SUBJECT)] BODY{peek}[]");
        let subject_item = if subject { subject_item.as_str() } else { "" };
        let verb = if which.uid { "UID FETCH" } else { "FETCH" };
        let command = format!("{verb} {set} (UID FLAGS{modseq}{subject_item})");
        let done = self.command(&command, which.uid).await?;
        assert_eq!(done.status, "OK", "{command}: {}", done.text);
        if self.kind().notify && !self.alone() {
            // It may have been told that they are gone while it asked.
            return Ok(true);
        }
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
        Ok(true)
    }

    async fn store(
        &mut self,
        which: Which,
        change: Change,
        flags: &[usize],
        silent: bool,
        unchanged: bool,
    ) -> Told<bool> {
        let (places, set) = self.named(which);
        if set.is_empty() {
            return Ok(false);
        }
        let picture = self.picture.as_ref().unwrap();
        let highest = picture.messages.iter().map(|message| message.modseq).max().unwrap_or(0);
        let unchanged = match unchanged && self.kind().has_condstore() && highest > 0 {
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
        let done = self.command(&command, which.uid).await?;
        // What others did in between is not to be told apart, nor what one has no right to.
        let predicted = self.alone() && self.kind().owns();
        if silent && !predicted {
            // By number also those whose UIDs it has heard only now.
            let more = if which.uid { Vec::new() } else { self.uids_at(&places) };
            self.forget_flags(&[&uids[..], &more].concat());
        }
        assert_ne!(done.status, "BAD", "{command}: {}", done.text);
        if done.status != "OK" {
            return Ok(true);
        }
        if let Some(allowed) = &self.allowed {
            assert!(allowed.may_any_here("swt"), "{command} is done with {allowed:?}");
        }
        let modified = code_set(&done.text, "MODIFIED");
        let named = |place: usize, uid: Option<u32>| if which.uid { uid } else { Some(place as u32 + 1) };
        for (place, uid) in places.iter().zip(uids) {
            if named(*place, uid).is_some_and(|named| modified.contains(&named)) {
                continue;
            }
            if silent && predicted {
                self.changed((!which.uid).then_some(*place), uid, change, &flags);
            } else if let (false, true, Some(uid)) = (silent, which.uid, uid) {
                let told = done.fetched.iter().any(|fetched| fetched.uid == Some(uid));
                assert!(told || !self.alone(), "{command} does not tell of UID {uid}");
            }
        }
        Ok(true)
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

    async fn search(&mut self, uid: bool, key: usize) -> Told<()> {
        let verb = if uid { "UID SEARCH" } else { "SEARCH" };
        let command = format!("{verb} {}", KEYS[key].0);
        let before = self.picture.clone().unwrap();
        let numbered = self.numbered.clone();
        let done = self.command(&command, uid).await?;
        assert_eq!(done.status, "OK", "{command}: {}", done.text);
        let found = done.found;
        assert!(found.is_sorted_by(|a, b| a < b), "{command} finds {found:?}");
        for named in &found {
            let known =
                if uid { before.can_have(*named) } else { (*named as usize) <= before.messages.len() };
            // Who is told at once may have been told of it while asking.
            assert!(known || self.kind().notify, "{command} finds {named}, which is not in {before:?}");
        }
        self.searched = self.alone().then_some(Searched { key, uid, found, numbered });
        Ok(())
    }

    /// `false`: there was nothing that could be named.
    async fn transfer(&mut self, verb: &str, which: Which, to: usize) -> Told<bool> {
        let which = Which { uid: which.uid || self.kind().notify, ..which };
        let (_, set) = self.named(which);
        if set.is_empty() {
            return Ok(false);
        }
        let uid = if which.uid { "UID " } else { "" };
        let command = format!("{uid}{verb} {set} {}", self.kind().name(to));
        let done = self.any(&command).await?;
        if let (Some(allowed), "OK") = (&self.allowed, done.status.as_str()) {
            assert!(allowed.may(to, 'i'), "{command} is done with {allowed:?}");
            let takes = verb != "MOVE" || allowed.may_any_here("t") && allowed.may_any_here("e");
            assert!(takes, "{command} is done with {allowed:?}");
        }
        Ok(true)
    }

    /// What is marked, or of that what is named; `false`: there was nothing that could be.
    async fn expunge(&mut self, which: Option<Which>) -> Told<bool> {
        let command = match which.map(|which| self.named(Which { uid: true, ..which }).1) {
            None => "EXPUNGE".to_owned(),
            Some(uids) if uids.is_empty() => return Ok(false),
            Some(uids) => format!("UID EXPUNGE {uids}"),
        };
        let done = self.any(&command).await?;
        if let (Some(allowed), "OK") = (&self.allowed, done.status.as_str()) {
            assert!(allowed.may_any_here("e"), "{command} is done with {allowed:?}");
        }
        let picture = self.picture.as_mut().unwrap();
        picture.modseq = code(&done.text, "HIGHESTMODSEQ").unwrap_or(picture.modseq);
        Ok(true)
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
}
