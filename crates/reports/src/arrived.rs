//! What was found of one message, as a row of a report.

use address::Domain;
use mailauth::dkim::{ResultWord, SignatureResult};
use mailauth::dmarc::{Evaluation, Override, OverrideKind, Policy, Published, ReportUri, Word};
use mailauth::report::aggregate::{
    Disposition, DkimResult, MAX_SIGNATURES, PolicyPublished, Record, SpfResult, Verdict,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Most signatures of one message that are reported: RFC 9990 allows [`MAX_SIGNATURES`], and rows that differ in what nobody
/// reads are not counted together.
const REPORTED_SIGNATURES: usize = 10;
/// Most problems of a record that are reported: they help its owner, and should not be an extremely large body (RFC 9990 §3.1.5).
pub(crate) const MAX_ERRORS: usize = 10;
const _: () = assert!(REPORTED_SIGNATURES <= MAX_SIGNATURES);

/// A message that was checked.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    pub ip: IpAddr,
    pub evaluation: &'a Evaluation,
    pub spf: Option<&'a mailauth::spf::SpfResult>,
    pub dkim: &'a [SignatureResult],
    /// The domain of MAIL FROM; `None` for the null one.
    pub mail_from: Option<&'a Domain>,
    /// What is done with the message. Where that is less than DMARC says, it is local policy.
    pub done: Policy,
    /// The message is itself a report ([`mailauth::report::is_report`]): two servers would report on each other's reports for
    /// ever.
    pub is_report: bool,
    /// Seconds since 1970.
    pub now: u64,
}

/// What messages have in common that are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) published: PolicyPublished,
    /// What is wrong with the record that has this policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<String>,
    /// Its count is 0.
    pub(crate) record: Record,
}

impl Arrived<'_> {
    /// The domain to be told and the row; `None` when nobody asks for it or it has no result.
    pub(crate) fn row(&self) -> Option<(Domain, Row)> {
        let published = self.evaluation.published.as_ref().filter(|published| wants_reports(published))?;
        if self.is_report || !matches!(self.evaluation.word, Word::Pass | Word::Fail) {
            return None;
        }
        let row = Row {
            published: policy_published(published),
            errors: published.record.problems.iter().take(MAX_ERRORS).cloned().collect(),
            record: self.record(published),
        };
        Some((published.domain.clone(), row))
    }

    fn record(&self, published: &Published) -> Record {
        let evaluation = self.evaluation;
        let enforced = published.policy != Policy::None;
        let mut reasons = evaluation.overrides.clone();
        let disposition = match evaluation.word {
            Word::Pass if enforced => Disposition::Pass,
            Word::Fail if self.done < evaluation.disposition => {
                let comment = "the receiver does less for this recipient".to_owned();
                reasons.push(Override { kind: OverrideKind::LocalPolicy, comment });
                self.done.into()
            }
            _ => evaluation.disposition.into(),
        };
        Record {
            source_ip: self.ip,
            count: 0,
            disposition,
            dkim_aligned: evaluation.dkim.is_some(),
            spf_aligned: evaluation.spf.is_some(),
            reasons,
            header_from: evaluation.author.to_string(),
            envelope_from: Some(self.mail_from.map(Domain::to_string).unwrap_or_default()),
            envelope_to: None,
            dkim: self.signatures(),
            spf: self.spf.and_then(spf_result),
        }
    }

    /// In the order of RFC 9990 §3.1.3: those that vouch for the author first.
    fn signatures(&self) -> Vec<DkimResult> {
        let organization = self.evaluation.organizational_domain.as_ref();
        let rank = |signature: &&SignatureResult| match &signature.domain {
            Some(domain) if signature.passed() && *domain == self.evaluation.author => 0,
            Some(domain) if signature.passed() && organization.is_some_and(|top| domain.is_within(top)) => 1,
            _ if signature.passed() => 2,
            _ => 3,
        };
        let mut ranked: Vec<&SignatureResult> = self.dkim.iter().collect();
        ranked.sort_by_key(rank);
        ranked.into_iter().filter_map(dkim_result).take(REPORTED_SIGNATURES).collect()
    }
}

fn wants_reports(published: &Published) -> bool {
    published.record.rua.iter().any(|uri| matches!(uri, ReportUri::Mailto { .. }))
}

fn policy_published(published: &Published) -> PolicyPublished {
    let record = &published.record;
    PolicyPublished {
        domain: published.domain.clone(),
        p: record.p.unwrap_or(Policy::None),
        sp: record.sp,
        np: record.np,
        adkim: record.adkim,
        aspf: record.aspf,
        fo: Some(record.fo.to_string()),
        testing: record.testing,
        tree_walk: true,
    }
}

fn dkim_result(signature: &SignatureResult) -> Option<DkimResult> {
    let verdict = match signature.word() {
        ResultWord::Pass => Verdict::Pass,
        ResultWord::Fail => Verdict::Fail,
        ResultWord::Policy => Verdict::Policy,
        ResultWord::Neutral => Verdict::Neutral,
        ResultWord::TempError => Verdict::TempError,
        ResultWord::PermError => Verdict::PermError,
    };
    Some(DkimResult {
        domain: signature.domain.as_ref()?.to_string(),
        selector: signature.selector.clone().unwrap_or_default(),
        verdict,
        human_result: signature.outcome.as_ref().err().map(ToString::to_string),
    })
}

fn spf_result(result: &mailauth::spf::SpfResult) -> Option<SpfResult> {
    use mailauth::spf::ResultWord as Spf;
    let verdict = match result.word {
        Spf::Pass => Verdict::Pass,
        Spf::Fail => Verdict::Fail,
        Spf::SoftFail => Verdict::SoftFail,
        Spf::Neutral => Verdict::Neutral,
        Spf::None => Verdict::None,
        Spf::TempError => Verdict::TempError,
        Spf::PermError => Verdict::PermError,
    };
    let reason = matches!(result.word, Spf::PermError).then(|| result.reason.clone());
    Some(SpfResult { domain: result.domain.as_ref()?.to_string(), verdict, human_result: reason })
}
