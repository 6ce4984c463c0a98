//! Untagged data but FETCH (RFC 9051 §7.2 to §7.4).

use super::Encoder;
use crate::Flag;
use crate::command::StatusItem;
use crate::fetch::PartialRange;
use crate::response::{
    Data, Esearch, EsearchAll, ListEntry, Namespace, QuotaResource, StatusValue, ThreadNode,
};
use bytes::Bytes;

impl Encoder<'_> {
    /// Without the asterisk and CRLF.
    pub(super) fn other_data(&mut self, data: &Data) {
        match data {
            // `data` writes these.
            Data::Status(_) | Data::Fetch { .. } => {}
            Data::Capability(words) => self.atoms(b"CAPABILITY", words),
            Data::Enabled(words) => self.atoms(b"ENABLED", words),
            Data::Id(parameters) => self.id(parameters),
            Data::Flags(flags) => {
                self.raw(b"FLAGS ");
                self.flags(flags);
            }
            Data::Exists(count) => self.counted(*count, b" EXISTS"),
            Data::Recent(count) => self.counted(*count, b" RECENT"),
            Data::Expunge(number) => self.counted(*number, b" EXPUNGE"),
            Data::Vanished { earlier, uids } => {
                self.raw(if *earlier { b"VANISHED (EARLIER) " } else { b"VANISHED " });
                self.runs(uids);
            }
            Data::List(entry) => self.list_entry(b"LIST ", entry),
            Data::Lsub(entry) => self.list_entry(b"LSUB ", entry),
            Data::MailboxStatus { mailbox, items } => {
                self.raw(b"STATUS ");
                self.mailbox(mailbox);
                self.raw(b" ");
                self.list(items, |out, (item, value)| out.status_item(*item, value));
            }
            Data::Search { numbers, modseq } => self.numbers(b"SEARCH", numbers, *modseq),
            Data::Sort { numbers, modseq } => self.numbers(b"SORT", numbers, *modseq),
            Data::Esearch(result) => self.esearch(result),
            Data::Thread(threads) => self.threads(threads),
            Data::Namespace { personal, other_users, shared } => {
                self.raw(b"NAMESPACE ");
                self.spaced([personal, other_users, shared], |out, namespaces| out.namespaces(namespaces));
            }
            _ => self.extension_data(data),
        }
    }

    /// Quotas, metadata and access control.
    fn extension_data(&mut self, data: &Data) {
        match data {
            Data::Quota { root, resources } => {
                self.raw(b"QUOTA ");
                self.astring(root);
                self.raw(b" ");
                self.list(resources, Self::quota_resource);
            }
            Data::QuotaRoot { mailbox, roots } => {
                self.raw(b"QUOTAROOT ");
                self.mailbox(mailbox);
                self.each_spaced(roots);
            }
            Data::Metadata { mailbox, entries } => {
                self.raw(b"METADATA ");
                self.mailbox_text(mailbox.as_ref().map_or("", |name| name.as_str()));
                self.raw(b" ");
                self.list(entries, |out, (name, value)| out.metadata(name, value.as_ref()));
            }
            Data::MetadataChanged { mailbox, entries } => {
                self.raw(b"METADATA ");
                self.mailbox_text(mailbox.as_ref().map_or("", |name| name.as_str()));
                self.each_spaced(entries);
            }
            Data::Acl { mailbox, rights } => {
                self.raw(b"ACL ");
                self.mailbox(mailbox);
                self.each_spaced(rights.iter().flat_map(|(identifier, rights)| [identifier, rights]));
            }
            Data::ListRights { mailbox, identifier, required, optional } => {
                self.raw(b"LISTRIGHTS ");
                self.mailbox(mailbox);
                self.each_spaced([identifier, required]);
                self.each_spaced(optional);
            }
            Data::MyRights { mailbox, rights } => {
                self.raw(b"MYRIGHTS ");
                self.mailbox(mailbox);
                self.each_spaced([rights]);
            }
            _ => {}
        }
    }

    fn atoms(&mut self, label: &[u8], words: &[String]) {
        self.raw(label);
        for word in words {
            self.raw(b" ");
            self.atom(word);
        }
    }

    /// A space before each.
    fn each_spaced<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = T>) {
        for text in texts {
            self.raw(b" ");
            self.astring(text.as_ref());
        }
    }

    fn counted(&mut self, number: u32, label: &[u8]) {
        self.number(number);
        self.raw(label);
    }

    pub(super) fn flags(&mut self, flags: &[Flag]) {
        self.list(flags, |out, flag| out.raw(flag.as_str().as_bytes()));
    }

    /// Of a message: `flag-fetch = flag / "\Recent"` (RFC 3501 §9).
    pub(super) fn flags_of_message(&mut self, flags: &[Flag], recent: bool) {
        let flags = flags.iter().map(Flag::as_str).chain(recent.then_some("\\Recent"));
        self.list(flags, |out, flag| out.raw(flag.as_bytes()));
    }

    fn id(&mut self, parameters: &[(String, Option<String>)]) {
        self.raw(b"ID ");
        match parameters {
            [] => self.nil(),
            _ => self.list(parameters, |out, (name, value)| {
                out.string(name.as_bytes());
                out.raw(b" ");
                out.nstring(value.as_deref());
            }),
        }
    }

    fn list_entry(&mut self, label: &[u8], entry: &ListEntry) {
        self.raw(label);
        self.list(&entry.attributes, |out, attribute| match attribute.strip_prefix('\\') {
            Some(word) => {
                out.raw(b"\\");
                out.atom(word);
            }
            None => out.atom(attribute),
        });
        self.raw(b" ");
        self.delimiter(entry.delimiter);
        self.raw(b" ");
        self.mailbox_text(&entry.mailbox);
        self.list_extended(entry);
    }

    fn list_extended(&mut self, entry: &ListEntry) {
        if entry.child_info.is_empty() && entry.old_name.is_none() {
            return;
        }
        self.raw(b" (");
        if !entry.child_info.is_empty() {
            self.raw(b"\"CHILDINFO\" ");
            self.list(&entry.child_info, |out, option| out.string(option.as_bytes()));
        }
        if let Some(name) = &entry.old_name {
            self.raw(if entry.child_info.is_empty() { b"" } else { b" " });
            self.raw(b"\"OLDNAME\" (");
            self.mailbox_text(name);
            self.raw(b")");
        }
        self.raw(b")");
    }

    fn delimiter(&mut self, delimiter: Option<char>) {
        match delimiter {
            Some(delimiter) => self.string(delimiter.encode_utf8(&mut [0; 4]).as_bytes()),
            None => self.nil(),
        }
    }

    fn status_item(&mut self, item: StatusItem, value: &StatusValue) {
        self.raw(item.as_str().as_bytes());
        self.raw(b" ");
        match value {
            StatusValue::Number(number) => self.number(*number),
            StatusValue::None => self.nil(),
            StatusValue::Id(id) => self.list([id], |out, id| out.atom(id)),
        }
    }

    fn numbers(&mut self, label: &[u8], numbers: &[u32], modseq: Option<u64>) {
        self.raw(label);
        for number in numbers {
            self.raw(b" ");
            self.number(*number);
        }
        // RFC 7162 §3.1.5: an empty result has none.
        if let Some(modseq) = modseq.filter(|_| !numbers.is_empty()) {
            self.raw(b" (");
            self.labelled(b"MODSEQ", modseq);
            self.raw(b")");
        }
    }

    fn esearch(&mut self, result: &Esearch) {
        self.raw(b"ESEARCH");
        if let Some(tag) = &result.tag {
            self.raw(b" (TAG ");
            self.string(tag.as_bytes());
            self.raw(b")");
        }
        if result.uid {
            self.raw(b" UID");
        }
        for (label, number) in [(&b" MIN"[..], result.min), (b" MAX", result.max), (b" COUNT", result.count)]
        {
            if let Some(number) = number {
                self.labelled(label, number);
            }
        }
        if let Some(all) = &result.all {
            self.raw(b" ALL ");
            self.esearch_all(all);
        }
        if let Some((range, found)) = &result.partial {
            self.raw(b" PARTIAL (");
            self.partial_range(*range);
            self.raw(b" ");
            match found.is_empty() {
                true => self.nil(),
                false => self.esearch_all(found),
            }
            self.raw(b")");
        }
        if let Some(modseq) = result.modseq {
            self.labelled(b" MODSEQ", modseq);
        }
    }

    fn esearch_all(&mut self, all: &EsearchAll) {
        match all {
            EsearchAll::Set(runs) => self.runs(runs),
            EsearchAll::Ordered(numbers) => self.ordered(numbers),
        }
    }

    /// A sequence-set in an order of its own, with ranges where numbers rise by one (RFC 5267 §3.2).
    fn ordered(&mut self, numbers: &[u32]) {
        for (index, run) in numbers.chunk_by(|one, next| one.checked_add(1) == Some(*next)).enumerate() {
            if index > 0 {
                self.raw(b",");
            }
            if let [first, .., last] = run {
                self.number(*first);
                self.raw(b":");
                self.number(*last);
            } else {
                run.iter().for_each(|only| self.number(*only));
            }
        }
    }

    /// RFC 9394 §4.
    fn partial_range(&mut self, range: PartialRange) {
        let sign: &[u8] = if range.from_end { b"-" } else { b"" };
        self.raw(sign);
        self.number(range.from);
        self.raw(b":");
        self.raw(sign);
        self.number(range.to);
    }

    /// RFC 5256 §4. Not by recursion: threads are as deep as people are patient.
    fn threads(&mut self, threads: &[ThreadNode]) {
        enum Step<'a> {
            /// In parentheses.
            Thread(&'a ThreadNode),
            /// What follows its parent.
            Node(&'a ThreadNode),
            Close,
        }
        self.raw(b"THREAD");
        if !threads.is_empty() {
            self.raw(b" ");
        }
        let mut steps: Vec<Step<'_>> = threads.iter().rev().map(Step::Thread).collect();
        while let Some(step) = steps.pop() {
            let node = match step {
                Step::Close => {
                    self.raw(b")");
                    continue;
                }
                Step::Thread(node) => {
                    self.raw(b"(");
                    steps.push(Step::Close);
                    node
                }
                Step::Node(node) => node,
            };
            if let Some(number) = node.number {
                self.number(number);
            }
            match node.children.as_slice() {
                [] => {}
                children => {
                    if node.number.is_some() {
                        self.raw(b" ");
                    }
                    match children {
                        [only] => steps.push(Step::Node(only)),
                        // thread-nested: two at least.
                        several => steps.extend(several.iter().rev().map(Step::Thread)),
                    }
                }
            }
        }
    }

    fn namespaces(&mut self, namespaces: &[Namespace]) {
        if namespaces.is_empty() {
            return self.nil();
        }
        self.raw(b"(");
        for Namespace { prefix, delimiter } in namespaces {
            self.raw(b"(");
            self.mailbox_string(prefix);
            self.raw(b" ");
            self.delimiter(*delimiter);
            self.raw(b")");
        }
        self.raw(b")");
    }

    fn quota_resource(&mut self, resource: &QuotaResource) {
        self.atom(&resource.name);
        self.raw(b" ");
        self.number(resource.usage);
        self.raw(b" ");
        self.number(resource.limit);
    }

    fn metadata(&mut self, name: &str, value: Option<&Bytes>) {
        self.astring(name);
        self.raw(b" ");
        match value {
            Some(value) if value.contains(&0) => self.literal(value, true),
            value => self.nstring(value),
        }
    }
}

impl EsearchAll {
    fn is_empty(&self) -> bool {
        match self {
            Self::Set(runs) => runs.is_empty(),
            Self::Ordered(numbers) => numbers.is_empty(),
        }
    }
}
