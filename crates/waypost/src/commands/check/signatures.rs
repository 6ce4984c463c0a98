//! `waypost check dkim` and `waypost check arc`: do the signatures of a message hold?

use crate::client;
use crate::commands::message_file::{self, LINE_ENDS, MessageFile};
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use mailauth::dkim::{MAX_SIGNATURES, ResultWord, SignatureResult};
use mailauth::{Signatures, Signed, arc, dkim};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::Path;
use store::clock;

pub(super) fn help_dkim() -> String {
    format!(
        "\
{LINE_ENDS}

Exit status: 0 when the message is signed and every signature passes, 75 when one could not be checked now, 1 otherwise.

Examples:
  waypost check dkim message.eml
  waypost check dkim - --json < message.eml"
    )
}

pub(super) fn help_arc() -> String {
    format!(
        "\
{LINE_ENDS}

Exit status: 0 when the message has a chain that passes, 75 when a key could not be looked up now, 1 otherwise.

Examples:
  waypost check arc message.eml
  waypost check arc - --json < message.eml"
    )
}

/// One signature; the keys are a contract.
#[derive(Debug, Serialize)]
struct Signature {
    domain: Option<String>,
    selector: Option<String>,
    result: &'static str,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    signatures: &'a [Signature],
    /// Signatures that the message has beyond those that are checked; not told where there are none.
    #[serde(skip_serializing_if = "is_none")]
    unchecked: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

#[derive(Debug, Serialize)]
struct Chain {
    result: &'static str,
    oldest_pass: u32,
    reason: String,
}

pub(super) fn dkim(path: &Path, dns: Vec<SocketAddr>, json: bool) -> Result<Exit, Failure> {
    let (signed, unchecked) = examine(path, dns)?;
    let signatures: Vec<Signature> = signed.dkim.iter().map(signature).collect();
    if json {
        output::json(&Told { signatures: &signatures, unchecked })?;
    } else {
        print_signatures(&signed.dkim, &signatures, unchecked)?;
    }
    let word = |word| signed.dkim.iter().any(|signature| signature.word() == word);
    Ok(if !signed.dkim.is_empty() && signed.dkim.iter().all(SignatureResult::passed) {
        Exit::Done
    } else if word(ResultWord::TempError) {
        Exit::TryAgain
    } else {
        Exit::No
    })
}

pub(super) fn arc(path: &Path, dns: Vec<SocketAddr>, json: bool) -> Result<Exit, Failure> {
    let (Signed { arc, .. }, _) = examine(path, dns)?;
    let (result, oldest_pass) = (arc.status().as_str(), arc.oldest_pass());
    let chain = Chain { result, oldest_pass, reason: arc.reason() };
    if json {
        output::json(&chain)?;
    } else {
        let tone = if arc.passed() { Tone::Good } else { Tone::Bad };
        output::line(&format!(
            "{} {}",
            output::tinted(chain.result, tone),
            output::printable(&chain.reason)
        ))?;
        for set in &arc.sets {
            let text =
                format!("  set {}: sealed by {} (selector {})", set.instance, set.sealer, set.selector);
            output::line(&output::printable(&text))?;
        }
    }
    Ok(match arc.outcome {
        arc::Outcome::Pass { .. } => Exit::Done,
        arc::Outcome::Fail(
            arc::Failure::Seal { failure: dkim::Failure::KeyUnavailable(_), .. }
            | arc::Failure::MessageSignature { failure: dkim::Failure::KeyUnavailable(_), .. },
        ) => Exit::TryAgain,
        arc::Outcome::Fail(_) | arc::Outcome::None => Exit::No,
    })
}

/// What all signatures come to, and how many more there are than are checked.
fn examine(path: &Path, dns: Vec<SocketAddr>) -> Result<(Signed, usize), Failure> {
    let file = MessageFile::read(path)?;
    let wire = file.wire();
    let (header, body) = message_file::split(&wire);
    let mut signatures = Signatures::new(header, clock::seconds());
    let unchecked = signatures.unchecked();
    signatures.update(body);
    let answers = client::block_on(message_file::look_up(dns, signatures.key_names()))?;
    Ok((signatures.finish(|name| message_file::answer(&answers, name)), unchecked))
}

fn signature(result: &SignatureResult) -> Signature {
    let mut reason = match &result.outcome {
        Ok(()) => "the signature verifies: what it covers is as the domain signed it".to_owned(),
        Err(failure) => failure.to_string(),
    };
    if result.passed() && result.unsigned_octets > 0 {
        reason.push_str(&format!(
            "; but l= leaves the last {} octets of the body unsigned, which anyone may have added",
            result.unsigned_octets
        ));
    }
    if result.testing {
        reason.push_str("; the domain is only testing DKIM (t=y)");
    }
    Signature {
        domain: result.domain.as_ref().map(ToString::to_string),
        selector: result.selector.clone(),
        result: result.word().as_str(),
        reason,
    }
}

fn print_signatures(
    results: &[SignatureResult],
    told: &[Signature],
    unchecked: usize,
) -> Result<(), Failure> {
    if results.is_empty() {
        return output::line("the message has no DKIM-Signature");
    }
    for (result, told) in results.iter().zip(told) {
        let tone = match result.word() {
            ResultWord::Pass => Tone::Good,
            ResultWord::TempError => Tone::Warning,
            _ => Tone::Bad,
        };
        let unknown = || "(none readable)".to_owned();
        let domain = told.domain.clone().unwrap_or_else(unknown);
        let selector = told.selector.clone().unwrap_or_else(unknown);
        let algorithm = result.algorithm.map_or("unknown algorithm", |algorithm| algorithm.as_str());
        let text = format!("{domain}, selector {selector}, {algorithm}: {}", told.reason);
        output::line(&format!("{} {}", output::tinted(told.result, tone), output::printable(&text)))?;
    }
    if unchecked > 0 {
        output::line(&format!("{unchecked} more are not checked: only the first {MAX_SIGNATURES} are"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_that_are_not_looked_at_are_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = "DKIM-Signature: v=1\r\n".repeat(MAX_SIGNATURES + 2) + "From: me@example.org\r\n\r\n";
        std::fs::write(file.path(), message).unwrap();
        let (signed, unchecked) = examine(file.path(), vec!["127.0.0.1:1".parse().unwrap()]).unwrap();
        let signatures: Vec<Signature> = signed.dkim.iter().map(signature).collect();
        let told = serde_json::to_value(Told { signatures: &signatures, unchecked }).unwrap();
        assert_eq!(told["signatures"].as_array().unwrap().len(), MAX_SIGNATURES);
        assert_eq!(told["unchecked"], 2);
    }
}
