//! What CAPABILITY lists (RFC 9051 §7.2.2): before login what helps to log in, after it all that is there.

use super::Config;

/// In every state. Both revisions are offered, so until ENABLE IMAP4rev2 the server speaks RFC 3501.
const ALWAYS: [&str; 5] = ["IMAP4rev1", "IMAP4rev2", "SASL-IR", "ID", "ENABLE"];

/// Once logged in, whatever the settings. RFC 3501's clients need those named, too, that IMAP4rev2 has taken in.
const LOGGED_IN: [&str; 35] = [
    "ACL",
    "BINARY",
    "CHILDREN",
    "CONDSTORE",
    "CREATE-SPECIAL-USE",
    "ESEARCH",
    "ESORT",
    "IDLE",
    "INPROGRESS",
    "LIST-EXTENDED",
    "LIST-MYRIGHTS",
    "LIST-STATUS",
    "METADATA",
    "MOVE",
    "MULTIAPPEND",
    "NAMESPACE",
    "NOTIFY",
    "OBJECTID",
    "PARTIAL",
    "PREVIEW",
    "QRESYNC",
    "REPLACE",
    "RIGHTS=texk",
    "SAVEDATE",
    "SEARCHRES",
    "SORT",
    "SORT=DISPLAY",
    "SPECIAL-USE",
    "STATUS=SIZE",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "UIDPLUS",
    "UNSELECT",
    "UTF8=ACCEPT",
    "WITHIN",
];

/// RFC 9208 §5; SETQUOTA is the administrator's, so QUOTASET is not there.
const QUOTA: [&str; 2] = ["QUOTA", "QUOTA=RES-STORAGE"];

impl Config {
    pub(super) fn capabilities(&self, logged_in: bool, compressed: bool) -> Vec<String> {
        let mut names: Vec<String> = ALWAYS.map(String::from).into();
        // RFC 7888 §5: never both.
        names.push(if self.literal_plus { "LITERAL+" } else { "LITERAL-" }.into());
        if logged_in {
            names.extend(LOGGED_IN.map(String::from));
            self.name_options(compressed, &mut names);
        } else {
            self.name_logins(&mut names);
        }
        names
    }

    fn name_logins(&self, names: &mut Vec<String>) {
        if self.offers_starttls() {
            names.push("STARTTLS".into());
        }
        if !self.may_login() {
            names.push("LOGINDISABLED".into());
        }
        if self.may_authenticate() {
            names.extend(self.mechanisms.iter().map(|name| format!("AUTH={name}")));
        }
    }

    fn name_options(&self, compressed: bool, names: &mut Vec<String>) {
        if self.quota {
            names.extend(QUOTA.map(String::from));
        }
        names.extend(self.append_limit.map(|limit| format!("APPENDLIMIT={limit}")));
        // RFC 8437 §4.1 ends compression in the middle of a pipeline: where it is on, UNAUTHENTICATE is not offered.
        if self.unauthenticate && !compressed {
            names.push("UNAUTHENTICATE".into());
        }
        if self.compress && !compressed {
            names.push("COMPRESS=DEFLATE".into());
        }
    }
}
