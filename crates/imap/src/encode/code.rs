//! Response codes (RFC 9051 §7.1).

use super::Encoder;
use crate::Flag;
use crate::response::Code;
use crate::set::Runs;

impl Encoder<'_> {
    pub(super) fn code(&mut self, code: &Code) {
        if let Some(word) = word(code) {
            return self.raw(word.as_bytes());
        }
        match code {
            Code::AppendUid { uidvalidity, uids } => {
                self.labelled(b"APPENDUID", *uidvalidity);
                self.spaced_runs(uids);
            }
            Code::CopyUid { uidvalidity, from, to } => {
                self.labelled(b"COPYUID", *uidvalidity);
                self.spaced_runs(from);
                self.spaced_runs(to);
            }
            Code::BadCharset(charsets) if charsets.is_empty() => self.raw(b"BADCHARSET"),
            Code::BadCharset(charsets) => self.words(b"BADCHARSET ", charsets),
            Code::BadEvent(events) => self.words(b"BADEVENT ", events),
            Code::Capability(capabilities) => {
                self.raw(b"CAPABILITY ");
                self.spaced(capabilities, |out, capability| out.code_atom(capability));
            }
            Code::HighestModSeq(modseq) => self.labelled(b"HIGHESTMODSEQ", *modseq),
            Code::InProgress { tag, done, total } => self.in_progress(tag.as_deref(), *done, *total),
            Code::MailboxId(id) => self.words(b"MAILBOXID ", [id]),
            Code::MetadataLongEntries(size) => self.labelled(b"METADATA LONGENTRIES", *size),
            Code::MetadataMaxSize(size) => self.labelled(b"METADATA MAXSIZE", *size),
            Code::Modified(numbers) => {
                self.raw(b"MODIFIED");
                self.spaced_runs(numbers);
            }
            Code::PermanentFlags { flags, any_keyword } => self.permanent_flags(flags, *any_keyword),
            Code::UidNext(uid) => self.labelled(b"UIDNEXT", *uid),
            Code::UidValidity(uidvalidity) => self.labelled(b"UIDVALIDITY", *uidvalidity),
            Code::Unseen(number) => self.labelled(b"UNSEEN", *number),
            // `word` has the others.
            _ => {}
        }
    }

    fn spaced_runs(&mut self, runs: &Runs) {
        self.raw(b" ");
        self.runs(runs);
    }

    fn words<T: AsRef<str>>(&mut self, label: &[u8], words: impl IntoIterator<Item = T>) {
        self.raw(label);
        self.list(words, |out, word| out.code_atom(word.as_ref()));
    }

    /// An atom without `]`, which would end the code.
    fn code_atom(&mut self, text: &str) {
        match text.contains(']') {
            true => self.atom(&text.replace(']', "")),
            false => self.atom(text),
        }
    }

    fn permanent_flags(&mut self, flags: &[Flag], any_keyword: bool) {
        let names = flags.iter().map(Flag::as_str).chain(any_keyword.then_some("\\*"));
        self.raw(b"PERMANENTFLAGS ");
        self.list(names, |out, name| out.raw(name.as_bytes()));
    }

    /// RFC 9585 §4. A total is no use without what is done of it, and is greater than zero.
    fn in_progress(&mut self, tag: Option<&str>, done: Option<u32>, total: Option<u32>) {
        self.raw(b"INPROGRESS");
        // A tag may hold `]`, a response code may not.
        let tag = tag.filter(|tag| !tag.contains(']'));
        if tag.is_none() && done.is_none() {
            return;
        }
        self.raw(b" (");
        self.nstring(tag);
        for number in [done, total.filter(|total| done.is_some() && *total > 0)] {
            self.raw(b" ");
            match number {
                Some(number) => self.number(number),
                None => self.nil(),
            }
        }
        self.raw(b")");
    }
}

/// Those that are one word.
fn word(code: &Code) -> Option<&'static str> {
    WORDS.iter().find(|(of, _)| of == code).map(|(_, word)| *word)
}

/// And back, for the client.
pub(crate) fn from_word(word: &str) -> Option<Code> {
    WORDS.iter().find(|(_, known)| known.eq_ignore_ascii_case(word)).map(|(code, _)| code.clone())
}

static WORDS: [(Code, &str); 33] = [
    (Code::Alert, "ALERT"),
    (Code::AlreadyExists, "ALREADYEXISTS"),
    (Code::AuthenticationFailed, "AUTHENTICATIONFAILED"),
    (Code::AuthorizationFailed, "AUTHORIZATIONFAILED"),
    (Code::Cannot, "CANNOT"),
    (Code::ClientBug, "CLIENTBUG"),
    (Code::Closed, "CLOSED"),
    (Code::CompressionActive, "COMPRESSIONACTIVE"),
    (Code::ContactAdmin, "CONTACTADMIN"),
    (Code::Corruption, "CORRUPTION"),
    (Code::Expired, "EXPIRED"),
    (Code::ExpungeIssued, "EXPUNGEISSUED"),
    (Code::HasChildren, "HASCHILDREN"),
    (Code::InUse, "INUSE"),
    (Code::Limit, "LIMIT"),
    (Code::MetadataTooMany, "METADATA TOOMANY"),
    (Code::NoModSeq, "NOMODSEQ"),
    (Code::Nonexistent, "NONEXISTENT"),
    (Code::NoPerm, "NOPERM"),
    (Code::NotificationOverflow, "NOTIFICATIONOVERFLOW"),
    (Code::NotSaved, "NOTSAVED"),
    (Code::OverQuota, "OVERQUOTA"),
    (Code::Parse, "PARSE"),
    (Code::PrivacyRequired, "PRIVACYREQUIRED"),
    (Code::ReadOnly, "READ-ONLY"),
    (Code::ReadWrite, "READ-WRITE"),
    (Code::ServerBug, "SERVERBUG"),
    (Code::TooBig, "TOOBIG"),
    (Code::TryCreate, "TRYCREATE"),
    (Code::UidNotSticky, "UIDNOTSTICKY"),
    (Code::Unavailable, "UNAVAILABLE"),
    (Code::UnknownCte, "UNKNOWN-CTE"),
    (Code::UseAttr, "USEATTR"),
];
