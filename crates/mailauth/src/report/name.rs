//! How a report is called: its identifier, its file and its subject (RFC 9990 §3.5, RFC 8460 §5.1 and §5.3 alike).

use address::Domain;

/// What names a report.
#[derive(Debug, Clone, Copy)]
pub struct Naming<'a> {
    /// Who reports.
    pub submitter: &'a Domain,
    /// The domain that is reported on.
    pub domain: &'a Domain,
    /// The time it covers, in seconds since 1970.
    pub begin: u64,
    pub end: u64,
    /// Tells several reports of the same time apart: letters and digits.
    pub unique: &'a str,
}

impl Naming<'_> {
    /// The Report-ID: the same for the same report, however often it is sent.
    pub fn report_id(&self) -> String {
        format!("{}.{}.{}@{}", self.begin, self.unique, self.domain, self.submitter)
    }

    /// The name of the file; `extension` is `xml.gz` or `json.gz`.
    pub fn file_name(&self, extension: &str) -> String {
        let Self { submitter, domain, begin, end, unique } = self;
        format!("{submitter}!{domain}!{begin}!{end}!{unique}.{extension}")
    }

    /// The subject of the mail.
    pub fn subject(&self) -> String {
        format!(
            "Report Domain: {} Submitter: {} Report-ID: <{}>",
            self.domain,
            self.submitter,
            self.report_id()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9990 §3.5.2.
    #[test]
    fn names() {
        let (submitter, domain) = ("mail.receiver.example".parse().unwrap(), "example.com".parse().unwrap());
        let naming = Naming {
            submitter: &submitter,
            domain: &domain,
            begin: 1_013_662_812,
            end: 1_013_749_130,
            unique: "1a",
        };
        let file = "mail.receiver.example!example.com!1013662812!1013749130!1a.xml.gz";
        assert_eq!(naming.file_name("xml.gz"), file);
        let id = "1013662812.1a.example.com@mail.receiver.example";
        let subject =
            format!("Report Domain: example.com Submitter: mail.receiver.example Report-ID: <{id}>");
        assert_eq!(naming.subject(), subject);
    }
}
