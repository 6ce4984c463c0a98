//! FETCH (RFC 9051 §6.4.5).

use super::connection::Driver;
use super::content::{Content, Source};
use super::message::{email_id, moment, thread_id};
use super::rights::Rights;
use super::stop::{Outcome, STORE_TIMEOUT, Stop, Underway, read};
use ::message::structure::Parsed;
use imap::fetch::{FetchItem, FetchModifiers, PartialRange};
use imap::response::{Code, ContentName, Data, FetchData, Status};
use imap::section::{Section, SectionText};
use imap::{Runs, SequenceSet};
use jiff::tz::TimeZone;
use std::sync::Arc;
use store::mailbox::{FlagChange, Message, Summary, flag};
use store::{Id, Store, StoreError};

/// Rows read at once when nothing else is needed of a message.
const ROWS: usize = 2_000;
/// The same with what is kept parsed.
const ROWS_PARSED: usize = 250;
/// The same with bodies; of these no more are read at once than so many octets, large ones not at all. While a client
/// takes one page the next is read, so that two are in memory.
const ROWS_WITH_BODY: usize = 64;
const OCTETS: u64 = 2 << 20;

/// What is asked for, and what has to be read for it.
#[derive(Debug)]
struct Plan {
    items: Vec<FetchItem>,
    parsed: bool,
    preview: bool,
    body: Bodies,
    sets_seen: bool,
    uid: bool,
    modseq: bool,
    flags: bool,
}

/// Of which messages the body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bodies {
    OfNone,
    /// Of those whose header fields are not all kept parsed.
    WhereFieldsAreMissing,
    OfAll,
}

/// Where the rows of messages are read. A message of which the client does not know that it has left the folder is there for it as
/// long as the store keeps it (RFC 9051 §7.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// In the folder, if they changed after `since`.
    There { since: u64 },
    /// Among those that have left it.
    Departed,
}

/// A message with what has been read of it.
#[derive(Debug)]
struct Loaded {
    row: Summary,
    parsed: Option<Arc<Parsed>>,
    preview: Option<String>,
    message: Option<Message>,
}

impl Plan {
    fn new(mut items: Vec<FetchItem>, uid: bool, modifiers: &FetchModifiers) -> Self {
        let adds = [
            (uid, FetchItem::Uid),
            // RFC 7162 §3.1.4.1.
            (modifiers.changed_since.is_some(), FetchItem::ModSeq),
        ];
        for (wanted, item) in adds {
            if wanted && !items.contains(&item) {
                items.insert(0, item);
            }
        }
        Self {
            parsed: items.iter().any(needs_parsed),
            preview: items.iter().any(|item| matches!(item, FetchItem::Preview { .. })),
            body: items.iter().map(needs_body).max().unwrap_or(Bodies::OfNone),
            sets_seen: items.iter().any(FetchItem::sets_seen),
            uid: items.contains(&FetchItem::Uid),
            modseq: items.contains(&FetchItem::ModSeq),
            flags: items.contains(&FetchItem::Flags),
            items,
        }
    }

    fn page(&self) -> usize {
        match (self.body, self.parsed || self.preview) {
            (Bodies::OfAll, _) => ROWS_WITH_BODY,
            (_, true) => ROWS_PARSED,
            (_, false) => ROWS,
        }
    }

    /// Whether a message's body has to be read although parts of it are kept parsed.
    fn needs_body_of(&self, parsed: Option<&Parsed>) -> bool {
        match self.body {
            Bodies::OfNone => false,
            Bodies::OfAll => true,
            Bodies::WhereFieldsAreMissing => self.items.iter().any(|item| {
                listed_fields(item)
                    .is_some_and(|names| parsed.and_then(|parsed| parsed.fields(names)).is_none())
            }),
        }
    }
}

/// The names of `BODY[HEADER.FIELDS (…)]`.
fn listed_fields(item: &FetchItem) -> Option<&[String]> {
    let FetchItem::Section { section, .. } = item else { return None };
    match &section.text {
        Some(SectionText::HeaderFields { names, not: false }) if section.path.is_empty() => Some(names),
        _ => None,
    }
}

fn needs_body(item: &FetchItem) -> Bodies {
    match item {
        _ if listed_fields(item).is_some() => Bodies::WhereFieldsAreMissing,
        FetchItem::Section { .. }
        | FetchItem::Binary { .. }
        | FetchItem::BinarySize(_)
        | FetchItem::Rfc822
        | FetchItem::Rfc822Header
        | FetchItem::Rfc822Text => Bodies::OfAll,
        _ => Bodies::OfNone,
    }
}

fn needs_parsed(item: &FetchItem) -> bool {
    match item {
        FetchItem::Envelope | FetchItem::BodyStructure | FetchItem::Body | FetchItem::ThreadId => true,
        FetchItem::Binary { .. } | FetchItem::BinarySize(_) => true,
        FetchItem::Section { section, .. } => *section != Section::default(),
        FetchItem::Rfc822Header | FetchItem::Rfc822Text => true,
        _ => false,
    }
}

impl Driver {
    pub(super) async fn fetch(
        &mut self,
        uid: bool,
        set: &SequenceSet,
        items: Vec<FetchItem>,
        modifiers: FetchModifiers,
    ) -> Outcome<Status> {
        let plan = Arc::new(Plan::new(items, uid, &modifiers));
        let view = self.view()?;
        let uids = view.resolve(set, uid).ok_or_else(|| Stop::bad("there are not that many messages"))?;
        let uids = modifiers.partial.map_or_else(|| uids.clone(), |range| window(&uids, range));
        if let (true, Some(since)) = (modifiers.vanished, modifiers.changed_since) {
            self.tell_vanished(set, since).await?;
        }
        let since = modifiers.changed_since.unwrap_or(0);
        let told = self.tell_messages(&plan, &uids, Rows::There { since }).await?;
        let gone = if since == 0 { uids.difference(&told) } else { Runs::default() };
        self.tell_messages(&plan, &gone, Rows::Departed).await?;
        self.summary.fetched += u64::from(told.len());
        // RFC 5530 §3: the client is about to hear it.
        match gone.is_empty() {
            false => Ok(Status::ok("some of them have gone").with(Code::ExpungeIssued)),
            true => Ok(Status::ok("these are the messages")),
        }
    }

    /// FETCH responses of those of the messages that are found; says which these were.
    async fn tell_messages(&mut self, plan: &Arc<Plan>, uids: &Runs, rows: Rows) -> Outcome<Runs> {
        let (store, mailbox) = (self.data_store(), self.view()?.mailbox.id);
        let page_after = |after| {
            let (store, among, wanted) = (store.clone(), uids.clone(), Arc::clone(plan));
            Underway::begin(move || load(&store, mailbox, rows, &among, after, &wanted))
        };
        let mut told = Runs::default();
        let mut underway = (!uids.is_empty()).then(|| page_after(0));
        while let Some(page) = underway.take() {
            let (mut page, next) = page.end(STORE_TIMEOUT).await?;
            // Read while the client takes this one.
            underway = next.map(page_after);
            if rows != Rows::Departed {
                self.set_seen(plan, &mut page).await?;
            }
            for loaded in &page {
                self.tell_message(plan, loaded).await?;
                told.push(loaded.row.uid);
            }
        }
        Ok(told)
    }

    /// `UID FETCH … (CHANGEDSINCE n VANISHED)`, RFC 7162 §3.2.6.
    async fn tell_vanished(&mut self, set: &SequenceSet, since: u64) -> Outcome<()> {
        let view = self.view()?;
        let (mailbox, there) = (view.mailbox.id, (**view.uids()).clone());
        // `*` is the highest that ever was: what was above the last may have gone.
        let Some(named) = set.resolve(u32::MAX) else { return Ok(()) };
        let store = self.data_store();
        let gone = read(move || store.vanished(mailbox, since, &named)).await?.difference(&there);
        if !gone.is_empty() {
            self.data(&Data::Vanished { earlier: true, uids: gone });
        }
        Ok(())
    }

    /// Marks what is about to be read as seen. A failure to write does not keep anybody from reading.
    async fn set_seen(&mut self, plan: &Plan, page: &mut [Loaded]) -> Outcome<()> {
        let seen = self.rights.has(Rights::SEEN);
        let view = self.view()?;
        if !plan.sets_seen || view.read_only || !seen {
            return Ok(());
        }
        let mailbox = view.mailbox.id;
        let unseen = page.iter_mut().filter(|loaded| loaded.row.flags & flag::SEEN == 0);
        let unseen: Vec<&mut Loaded> = unseen.collect();
        if unseen.is_empty() {
            return Ok(());
        }
        let uids: Runs = unseen.iter().map(|loaded| loaded.row.uid).collect();
        let change = FlagChange::add(flag::SEEN);
        let done = match self.data_store().set_flags(mailbox, uids, change, None).await {
            Ok(done) => done,
            Err(error) => {
                tracing::warn!(protocol = %"imap", session = %self.id, %error, "messages were not marked as seen");
                return Ok(());
            }
        };
        // Those that somebody else marked meanwhile are that one's change, which is told as such.
        for loaded in unseen.into_iter().filter(|loaded| done.changed.contains(loaded.row.uid)) {
            loaded.row.flags |= flag::SEEN;
            loaded.row.modseq = done.modseqs.last().copied().unwrap_or(loaded.row.modseq);
        }
        // Told with each message, below.
        self.newly_seen = done.changed;
        self.view()?.made(done.modseqs);
        Ok(())
    }

    /// One FETCH response, of a message that the client knows.
    async fn tell_message(&mut self, plan: &Plan, loaded: &Loaded) -> Outcome<()> {
        let row = &loaded.row;
        let Some(number) = self.view()?.number(row.uid) else { return Ok(()) };
        let mut contents = Vec::new();
        for item in &plan.items {
            if let Some((name, content)) = content_of(item, loaded)? {
                contents.push((name, content));
            }
        }
        if plan.flags || plan.sets_seen {
            self.tell_new_keywords(row);
        }
        self.session.begin_fetch(number);
        for item in &plan.items {
            let data = match item {
                FetchItem::Flags => Some(self.flags_of(row)),
                other => simple(other, loaded),
            };
            if let Some(data) = data {
                self.session.fetch_item(&data);
            }
        }
        let newly_seen = plan.sets_seen && self.newly_seen.contains(row.uid);
        if newly_seen && !plan.flags {
            let flags = self.flags_of(row);
            self.session.fetch_item(&flags);
        }
        // RFC 7162 §3.1: flags are told with the change that they are of, and what has become \Seen with its UID as well (§3.2.4).
        if self.session.enabled().condstore {
            if newly_seen && !plan.uid {
                self.session.fetch_item(&FetchData::Uid(row.uid));
            }
            if (newly_seen || plan.flags) && !plan.modseq && row.modseq > 0 {
                self.session.fetch_item(&FetchData::ModSeq(row.modseq));
            }
        }
        for (name, content) in contents {
            self.tell_content(name, content).await?;
        }
        self.session.end_fetch();
        self.relieve().await?;
        Ok(())
    }

    /// A literal, piece by piece, as fast as the client takes it.
    async fn tell_content(&mut self, name: ContentName, content: Content) -> Outcome<()> {
        let mut pieces = match content {
            Content::Nil => {
                self.session.fetch_item(&FetchData::Content { name, value: None });
                return Ok(());
            }
            Content::Size { path, mut source } => {
                let size = source.measure().await?.size;
                self.session.fetch_item(&FetchData::BinarySize { path, size });
                return Ok(());
            }
            Content::Octets(source) => source,
        };
        let measured = pieces.measure().await?;
        self.session.fetch_literal(&name, measured.size, measured.nul);
        let mut left = measured.size;
        while left > 0 {
            let Some(piece) = pieces.next().await? else { break };
            let piece = &piece[..usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()))];
            self.session.fetch_octets(piece);
            left -= piece.len() as u64;
            self.relieve().await?;
        }
        if left > 0 {
            // The file is shorter than its row says. The literal cannot be ended, only the connection.
            tracing::error!(protocol = %"imap", session = %self.id, left, "a message was cut short");
            return Err(Stop::End(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()));
        }
        Ok(())
    }
}

/// Rows above `after` with what the plan needs, and the last UID looked at when there may be more.
fn load(
    store: &Store,
    mailbox: Id,
    which: Rows,
    uids: &Runs,
    after: u32,
    plan: &Plan,
) -> Result<(Vec<Loaded>, Option<u32>), StoreError> {
    let limit = plan.page();
    let mut rows = match which {
        Rows::There { since } => store.messages_in(mailbox, uids, since, after, limit)?,
        Rows::Departed => store.departed_messages(mailbox, uids, after, limit)?,
    };
    let mut more = rows.len() == limit;
    if plan.body == Bodies::OfAll {
        let mut octets = 0;
        let fit = rows.iter().take_while(|row| {
            let fits = octets < OCTETS;
            octets += row.size.min(OCTETS);
            fits
        });
        let fit = fit.count();
        more |= fit < rows.len();
        rows.truncate(fit);
    }
    let bodies: Vec<(Id, u64)> = rows.iter().map(|row| (row.body, row.body_size())).collect();
    let parsed = if plan.parsed { store.parsed_many(&bodies)? } else { Vec::new() };
    let previews = if plan.preview { store.previews(&bodies)? } else { Vec::new() };
    let needs_body = |at: usize| plan.needs_body_of(parsed.get(at).map(|parsed| &**parsed));
    let whole = rows.iter().enumerate().filter(|(at, _row)| needs_body(*at));
    let whole: Vec<u32> = whole.map(|(_at, row)| row.uid).collect();
    let mut messages = messages(store, mailbox, &whole)?.into_iter().flatten().peekable();
    let (mut parsed, mut previews) = (parsed.into_iter(), previews.into_iter());
    let next = rows.last().map(|row| row.uid).filter(|_| more);
    let mut page = Vec::with_capacity(rows.len());
    for row in rows {
        let (parsed, preview) = (parsed.next(), previews.next());
        let message = messages.next_if(|message| message.summary.uid == row.uid);
        // Not of one that has gone for good in this moment.
        if message.is_some() || whole.binary_search(&row.uid).is_err() {
            page.push(Loaded { row, parsed, preview, message });
        }
    }
    Ok((page, next))
}

/// Messages, also those that left the folder after their rows were read.
fn messages(store: &Store, mailbox: Id, uids: &[u32]) -> Result<Vec<Option<Message>>, StoreError> {
    let mut found = store.messages_with_bodies(mailbox, uids)?;
    for (uid, message) in uids.iter().zip(&mut found).filter(|(_, message)| message.is_none()) {
        *message = store.departed_message(mailbox, *uid)?;
    }
    Ok(found)
}

/// Items without a literal that the message alone decides.
fn simple(item: &FetchItem, Loaded { row, parsed, preview, .. }: &Loaded) -> Option<FetchData> {
    let structure = |extended| {
        parsed.as_ref().map(|parsed| FetchData::Structure { part: Arc::clone(&parsed.root), extended })
    };
    Some(match item {
        FetchItem::Uid => FetchData::Uid(row.uid),
        FetchItem::InternalDate => FetchData::InternalDate(moment(row.received).to_zoned(TimeZone::UTC)),
        FetchItem::Envelope => FetchData::Envelope(Arc::clone(&parsed.as_ref()?.envelope)),
        FetchItem::BodyStructure => structure(true)?,
        FetchItem::Body => structure(false)?,
        FetchItem::Rfc822Size => FetchData::Rfc822Size(row.size),
        // Of what was removed by a version that did not keep it.
        FetchItem::ModSeq if row.modseq == 0 => return None,
        FetchItem::ModSeq => FetchData::ModSeq(row.modseq),
        FetchItem::SaveDate => FetchData::SaveDate((row.saved != 0).then(|| moment(row.saved))),
        FetchItem::EmailId => FetchData::EmailId(email_id(row)),
        FetchItem::ThreadId => FetchData::ThreadId(Some(thread_id(row, parsed.as_ref()?))),
        FetchItem::Preview { .. } => FetchData::Preview(preview.clone()),
        // What is recent, the session knows.
        FetchItem::Flags
        | FetchItem::Section { .. }
        | FetchItem::Binary { .. }
        | FetchItem::BinarySize(_)
        | FetchItem::Rfc822
        | FetchItem::Rfc822Header
        | FetchItem::Rfc822Text => return None,
    })
}

/// Items with one.
fn content_of(item: &FetchItem, loaded: &Loaded) -> Outcome<Option<(ContentName, Content)>> {
    let Loaded { parsed, message, .. } = loaded;
    if let (Some(names), Some(parsed)) = (listed_fields(item), parsed)
        && let (Some(fields), FetchItem::Section { section, partial, .. }) = (parsed.fields(names), item)
    {
        let name =
            ContentName::Section { section: section.clone(), offset: partial.map(|partial| partial.offset) };
        return Ok(Some((name, Content::Octets(Source::memory(fields.into()).part(*partial)))));
    }
    let Some(message) = message else { return Ok(None) };
    let parsed = parsed.as_deref();
    let header = Section { path: Vec::new(), text: Some(SectionText::Header) };
    let text = Section { path: Vec::new(), text: Some(SectionText::Text) };
    let section = |name, section: &Section| (name, Content::section(message, parsed, section));
    let (name, content) = match item {
        FetchItem::Section { section: asked, partial, .. } => {
            let offset = partial.map(|partial| partial.offset);
            let name = ContentName::Section { section: asked.clone(), offset };
            (name, Content::section(message, parsed, asked).part(*partial))
        }
        FetchItem::Rfc822 => section(ContentName::Rfc822, &Section::default()),
        FetchItem::Rfc822Header => section(ContentName::Rfc822Header, &header),
        FetchItem::Rfc822Text => section(ContentName::Rfc822Text, &text),
        FetchItem::Binary { path, partial, .. } => {
            let name =
                ContentName::Binary { path: path.clone(), offset: partial.map(|partial| partial.offset) };
            (name, Content::binary(message, parsed, path)?.part(*partial))
        }
        FetchItem::BinarySize(path) => {
            let name = ContentName::Binary { path: path.clone(), offset: None };
            (name, Content::binary(message, parsed, path)?.size_of(path))
        }
        _ => return Ok(None),
    };
    Ok(Some((name, content)))
}

/// The messages at these places of a result (RFC 9394 §3.1).
pub(super) fn window(uids: &Runs, range: PartialRange) -> Runs {
    let count = uids.len();
    let (from, to) = match range.from_end {
        false => (range.from, range.to.min(count)),
        true => ((count + 1).saturating_sub(range.to).max(1), (count + 1).saturating_sub(range.from)),
    };
    if from == 0 || from > to {
        return Runs::default();
    }
    uids.select(&Runs::from_ranges([from..=to]))
}
