//! How a client speaks with the server, and what it makes of all that it hears.

use super::picture::{Fetched, Picture, Rules};
use super::player::Player;
use super::response::{Response, code, parse};
use crate::common::Client;

/// What came of a command.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) status: String,
    pub(crate) text: String,
    pub(crate) fetched: Vec<Fetched>,
    pub(crate) found: Vec<u32>,
    pub(crate) vanished: Vec<u32>,
    pub(crate) codes: Vec<String>,
}

/// The server has closed the connection: the open folder is no more.
#[derive(Debug)]
pub(crate) struct Gone;

pub(crate) type Told<T> = Result<T, Gone>;

impl Player {
    /// From the greeting on.
    pub(crate) async fn greet(&mut self) -> Told<()> {
        self.client.line().await;
        self.ok(&format!("LOGIN {}@example.org secret", self.kind().account)).await?;
        if !self.kind().enables.is_empty() {
            self.ok(&format!("ENABLE {}", self.kind().enables)).await?;
        }
        if self.kind().notify {
            self.begin_to_watch().await?;
        }
        Ok(())
    }

    /// After [`Gone`].
    pub(crate) async fn begin_again(&mut self) {
        self.gone = self.picture.take().map(|picture| picture.uidvalidity);
        (self.idle, self.opening) = (None, None);
        self.numbered = Vec::new();
        self.client = Client::call(&self.place).await;
        self.greet().await.expect("no folder is open");
    }

    /// `false`: it was not in IDLE, or its folder is gone.
    pub(crate) async fn end_idle(&mut self) -> bool {
        match self.stop_idle().await {
            Ok(idled) => idled,
            Err(Gone) => {
                self.begin_again().await;
                false
            }
        }
    }

    pub(crate) async fn stop_idle(&mut self) -> Told<bool> {
        let Some(tag) = self.idle.take() else { return Ok(false) };
        self.client.send("DONE\r\n").await;
        assert_eq!(self.listen(&tag, self.rules(true)).await?.status, "OK");
        Ok(true)
    }

    pub(crate) async fn ok(&mut self, command: &str) -> Told<()> {
        let done = self.command(command, true).await?;
        assert_eq!(done.status, "OK", "{command}: {}", done.text);
        Ok(())
    }

    /// What the server may refuse, but has to understand.
    pub(crate) async fn any(&mut self, command: &str) -> Told<Done> {
        let done = self.command(command, true).await?;
        assert_ne!(done.status, "BAD", "{command}: {}", done.text);
        Ok(done)
    }

    pub(crate) async fn command(&mut self, command: &str, expunges: bool) -> Told<Done> {
        let tag = self.send(command).await;
        self.listen(&tag, self.rules(expunges)).await
    }

    /// Who has asked to be told at once may be told of expunges at any time.
    fn rules(&self, expunges: bool) -> Rules {
        let kind = self.kind();
        let (uid, modseq, qresync) = (kind.hears_uids(), kind.has_condstore(), kind.has_qresync());
        Rules { expunges: expunges || kind.notify, uid, modseq, qresync }
    }

    pub(crate) async fn send(&mut self, command: &str) -> String {
        self.commands += 1;
        let tag = format!("c{}", self.commands);
        self.client.send(&format!("{tag} {command}\r\n")).await;
        tag
    }

    /// Hears all that comes until the command is answered.
    async fn listen(&mut self, tag: &str, rules: Rules) -> Told<Done> {
        let mut done = Done::default();
        loop {
            let line = self.response().await;
            match parse(&line) {
                Response::Tagged { tag: answered, status, text } => {
                    assert_eq!(answered, tag, "{line}");
                    return Ok(Done { status, text, ..done });
                }
                other => self.hear(other, rules, &mut done)?,
            }
        }
    }

    /// Hears the next thing that nobody asked for.
    pub(crate) async fn hear_unasked(&mut self) -> Told<()> {
        let response = parse(&self.response().await);
        self.hear(response, self.rules(true), &mut Done::default())
    }

    fn hear(&mut self, response: Response, rules: Rules, done: &mut Done) -> Told<()> {
        match response {
            Response::Bye => return Err(Gone),
            Response::Search(found) => done.found = found,
            Response::Vanished { earlier: true, uids } => done.vanished.extend(uids),
            Response::Status(text) => {
                self.hear_status(&text);
                done.codes.push(text);
            }
            Response::Counts { name, counts } => self.seen.counts(name, counts),
            Response::List { attributes, name, old } => self.seen.listed(&attributes, name, old.as_deref()),
            Response::Continue | Response::Other => {}
            other => self.hear_of_folder(other, rules, done),
        }
        Ok(())
    }

    /// From CLOSED on everything is about the folder that is being opened (RFC 7162 §3.2.11).
    fn hear_status(&mut self, text: &str) {
        if text.contains("[CLOSED]")
            && let Some(opening) = self.opening.take()
            && let Some(before) = self.picture.replace(opening)
        {
            self.kept.insert(before.folder, before);
        }
        if let (Some(picture), Some(uidvalidity)) = (&mut self.picture, code(text, "UIDVALIDITY")) {
            picture.uidvalidity = uidvalidity as u32;
        }
    }

    fn hear_of_folder(&mut self, response: Response, rules: Rules, done: &mut Done) {
        let picture: &mut Picture =
            self.picture.as_mut().unwrap_or_else(|| panic!("{response:?} of no folder"));
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
                    let known = subjects.entry((picture.uidvalidity, uid)).or_insert_with(|| subject.clone());
                    assert_eq!(known, subject, "UID {uid} is another message than it was");
                }
                done.fetched.push(fetched);
            }
            other => panic!("{other:?}"),
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
