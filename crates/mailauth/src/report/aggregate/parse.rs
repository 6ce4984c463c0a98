//! Reading the XML that arrives: that of RFC 9990, that of RFC 7489, and what real reporters make of them (other
//! namespaces or none, words in capitals, elements left out or twice, white space anywhere).

use super::tree::{Children, Element, MAX_DEPTH, MAX_ELEMENTS};
use super::{Aggregate, Disposition, DkimResult, PolicyPublished, Record, SpfResult, Verdict};
use crate::dmarc::{Mode, Override, OverrideKind, Policy};
use address::Domain;

/// Most records of a report that are read: a larger one is no use in a table, and a flood in a store.
pub const MAX_RECORDS: usize = 20_000;
/// Most signatures of one record that are kept (RFC 9990 §3.1.3).
pub const MAX_SIGNATURES: usize = 100;
/// Most override reasons of one record, and most errors of a report, that are kept.
pub const MAX_REASONS: usize = 16;

/// Why a report is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("it is not well-formed XML: {0}")]
    Xml(String),
    #[error("it has a document type, which no report needs and bombs do")]
    DocumentType,
    #[error("it is no report: the root element is not \"feedback\"")]
    NoReport,
    #[error("it ends in the middle")]
    CutShort,
    #[error("an element has more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")]
    TooComplex,
    #[error("it has more than {MAX_RECORDS} records")]
    TooManyRecords,
    #[error("it lacks {0}")]
    Missing(&'static str),
    #[error("the policy is said to be of {0:?}, which is no domain")]
    Domain(String),
}

impl From<quick_xml::Error> for ParseError {
    fn from(error: quick_xml::Error) -> Self {
        Self::Xml(error.to_string())
    }
}

impl Aggregate {
    /// Reads a report, unpacked. Rows that count nothing or name no address are left out.
    pub fn parse(xml: &[u8]) -> Result<Self, ParseError> {
        let text = String::from_utf8_lossy(xml);
        let mut children = Children::open(text.trim_start_matches('\u{feff}'), "feedback")?;
        let (mut metadata, mut published, mut records) = (None, None, Vec::new());
        while let Some(child) = children.next()? {
            match child.name.as_str() {
                "report_metadata" => metadata = Some(child),
                "policy_published" => published = Some(child),
                "record" if records.len() == MAX_RECORDS => return Err(ParseError::TooManyRecords),
                "record" => records.extend(record(&child)),
                _ => {}
            }
        }
        let metadata = metadata.ok_or(ParseError::Missing("report_metadata"))?;
        let published = published.ok_or(ParseError::Missing("policy_published"))?;
        let range = metadata.child("date_range");
        let time = |name| range.and_then(|range| number(range.text(name)?)).unwrap_or(0);
        let owned = |name| metadata.filled(name).map(str::to_owned);
        Ok(Self {
            organization: owned("org_name")
                .or_else(|| owned("email"))
                .ok_or(ParseError::Missing("org_name"))?,
            email: owned("email").unwrap_or_default(),
            extra_contact: owned("extra_contact_info"),
            report_id: owned("report_id").ok_or(ParseError::Missing("report_id"))?,
            begin: time("begin"),
            end: time("end"),
            errors: metadata.all("error").take(MAX_REASONS).map(|error| error.content().to_owned()).collect(),
            generator: owned("generator"),
            published: policy_published(&published)?,
            records,
        })
    }
}

fn policy_published(element: &Element) -> Result<PolicyPublished, ParseError> {
    let domain = element.filled("domain").ok_or(ParseError::Missing("the domain of policy_published"))?;
    let policy = |name: &str| Policy::parse(&element.word(name));
    let mode = |name: &str| Mode::parse(&element.word(name)).unwrap_or(Mode::Relaxed);
    Ok(PolicyPublished {
        domain: Domain::parse(domain).map_err(|_| ParseError::Domain(domain.to_owned()))?,
        p: policy("p").unwrap_or(Policy::None),
        sp: policy("sp"),
        np: policy("np"),
        adkim: mode("adkim"),
        aspf: mode("aspf"),
        fo: element.filled("fo").map(str::to_owned),
        // `pct` is RFC 7489's.
        testing: element.word("testing") == "y" || element.text("pct") == Some("0"),
        tree_walk: element.word("discovery_method") == "treewalk",
    })
}

/// A record; `None` when it counts nothing that a table could show.
fn record(element: &Element) -> Option<Record> {
    let row = element.child("row")?;
    let source_ip = row.text("source_ip")?.trim_matches(['[', ']']).parse().ok()?;
    let count = number(row.text("count")?).filter(|count| *count > 0)?;
    let nothing = Element::default();
    let evaluated = row.child("policy_evaluated").unwrap_or(&nothing);
    let identifiers =
        element.child("identifiers").or_else(|| element.child("identities")).unwrap_or(&nothing);
    let results = element.child("auth_results").unwrap_or(&nothing);
    let owned = |name: &str| identifiers.text(name).map(str::to_owned);
    Some(Record {
        source_ip,
        count,
        disposition: Disposition::parse(&evaluated.word("disposition")),
        dkim_aligned: evaluated.word("dkim") == "pass",
        spf_aligned: evaluated.word("spf") == "pass",
        reasons: evaluated.all("reason").take(MAX_REASONS).map(reason).collect(),
        header_from: owned("header_from").unwrap_or_default(),
        envelope_from: owned("envelope_from"),
        envelope_to: owned("envelope_to"),
        dkim: results.all("dkim").take(MAX_SIGNATURES).filter_map(dkim).collect(),
        spf: spf(results),
    })
}

fn reason(element: &Element) -> Override {
    let comment = element.text("comment").unwrap_or_default().to_owned();
    Override { kind: OverrideKind::parse(&element.word("type")), comment }
}

fn dkim(element: &Element) -> Option<DkimResult> {
    Some(DkimResult {
        domain: element.filled("domain")?.to_owned(),
        selector: element.text("selector").unwrap_or_default().to_owned(),
        verdict: Verdict::parse(&element.word("result")),
        human_result: element.filled("human_result").map(str::to_owned),
    })
}

/// The result for MAIL FROM: RFC 7489 allowed more than one, of which that for HELO is not DMARC's.
fn spf(results: &Element) -> Option<SpfResult> {
    let for_helo = |element: &&Element| element.word("scope") == "helo";
    let element = results.all("spf").find(|element| !for_helo(element)).or_else(|| results.child("spf"))?;
    Some(SpfResult {
        domain: element.text("domain").unwrap_or_default().to_owned(),
        verdict: Verdict::parse(&element.word("result")),
        human_result: element.filled("human_result").map(str::to_owned),
    })
}

/// A number; a fraction, which some reporters write, is cut off.
fn number(text: &str) -> Option<u64> {
    text.split('.').next()?.parse().ok()
}
