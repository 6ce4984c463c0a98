//! The sets of a message, collected and held against the rules of their structure (RFC 8617 §4.2, §5.2).

use super::outcome::{ChainStatus, Failure, SetFacts};
use crate::dkim::{self, Algorithm, Kind, Selector, Signature, key_name, parse_domain, parse_selector};
use crate::header::{Field, Header};
use crate::tags::{TagError, TagList, base64, shortened};
use address::Domain;
use std::fmt;
use std::ops::Range;

/// Most sets of a message, and the highest instance (RFC 8617 §4.2.1).
pub const MAX_SETS: u32 = 50;

/// The three fields of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    Results,
    MessageSignature,
    Seal,
}

impl FieldKind {
    pub const ALL: [Self; 3] = [Self::Results, Self::MessageSignature, Self::Seal];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Results => "ARC-Authentication-Results",
            Self::MessageSignature => "ARC-Message-Signature",
            Self::Seal => "ARC-Seal",
        }
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One set, its three fields found and read.
#[derive(Debug)]
pub(super) struct Set<'h> {
    pub(super) instance: u32,
    pub(super) results: Field<'h>,
    pub(super) message_signature: (usize, Field<'h>),
    pub(super) seal_field: Field<'h>,
    pub(super) seal: Seal,
}

/// An ARC-Seal (RFC 8617 §4.1.3).
#[derive(Debug)]
pub(super) struct Seal {
    pub(super) algorithm: Algorithm,
    pub(super) domain: Domain,
    pub(super) selector: Selector,
    pub(super) status: ChainStatus,
    pub(super) signature: Vec<u8>,
    /// Where the value of `b=` stands in the field's value.
    pub(super) signature_extent: Range<usize>,
}

/// The fields of one instance before they are known to be a set: each kind once.
type Slots<'h> = [Option<(usize, Field<'h>)>; 3];

/// RFC 8617 §5.2, steps 1 to 3: all sets in order, or why they are no chain. No field at all is no set.
pub(super) fn collect<'h>(header: &Header<'h>) -> Result<Vec<Set<'h>>, Failure> {
    let slots = by_instance(header)?;
    let sets: Vec<_> = slots
        .into_iter()
        .zip(1..)
        .map(|(slots, instance)| Set::read(instance, slots))
        .collect::<Result<_, _>>()?;
    // Step 2 comes before step 3: who seals a failure need not make the rest sound.
    if let Some(newest) = sets.last().filter(|newest| newest.seal.status == ChainStatus::Fail) {
        return Err(Failure::FailedBefore(newest.instance));
    }
    for set in &sets {
        let needed = if set.instance == 1 { ChainStatus::None } else { ChainStatus::Pass };
        if set.seal.status != needed {
            return Err(Failure::Status { instance: set.instance, found: set.seal.status, needed });
        }
    }
    Ok(sets)
}

/// The highest instance that any ARC field has, and whether its seal says `cv=fail`; `None` without ARC fields.
/// For the sealer, who goes on after broken chains too.
pub(super) fn newest(header: &Header<'_>) -> Option<(u32, bool)> {
    let fields =
        FieldKind::ALL.into_iter().flat_map(|kind| fields(header, kind).map(move |field| (kind, field.1)));
    let mut newest = None;
    for (kind, field) in fields {
        let instance = instance(kind, &field).unwrap_or(0);
        let failed = kind == FieldKind::Seal
            && TagList::parse(field.value()).ok().and_then(|t| ChainStatus::parse(t.get("cv")?))
                == Some(ChainStatus::Fail);
        newest = newest.max(Some((instance, failed)));
    }
    newest
}

fn fields<'a, 'h>(
    header: &'a Header<'h>,
    kind: FieldKind,
) -> impl Iterator<Item = (usize, Field<'h>)> + use<'a, 'h> {
    let places = header.places(kind.as_str().as_bytes());
    places.iter().filter_map(|place| header.fields().get(*place).map(|field| (*place, *field)))
}

/// The fields sorted by instance, from 1 to the highest there is.
fn by_instance<'h>(header: &Header<'h>) -> Result<Vec<Slots<'h>>, Failure> {
    let mut slots: Vec<Slots<'h>> = Vec::new();
    for (at, kind) in FieldKind::ALL.into_iter().enumerate() {
        let count = header.places(kind.as_str().as_bytes()).len();
        if count > MAX_SETS as usize {
            return Err(Failure::TooManySets(count));
        }
        for (place, field) in fields(header, kind) {
            let instance = instance(kind, &field).ok_or(Failure::Instance { field: kind })?;
            let index = instance as usize - 1;
            if slots.len() <= index {
                slots.resize_with(index + 1, Slots::default);
            }
            if slots[index][at].replace((place, field)).is_some() {
                return Err(Failure::Repeated { instance, field: kind });
            }
        }
    }
    Ok(slots)
}

/// The `i=` of a field, from 1 to [`MAX_SETS`]. The grammar has it first; as a tag it is taken anywhere.
fn instance(kind: FieldKind, field: &Field<'_>) -> Option<u32> {
    let text = match kind {
        FieldKind::Results => crate::results::instance(std::str::from_utf8(field.value()).ok()?)?.0,
        FieldKind::MessageSignature | FieldKind::Seal => {
            let tags = TagList::parse(field.value()).ok()?;
            number(tags.get("i")?)?
        }
    };
    (1..=MAX_SETS).contains(&text).then_some(text)
}

/// `position = 1*2DIGIT` (RFC 8617 §4.2.1).
pub(crate) fn number(text: &str) -> Option<u32> {
    (text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

impl<'h> Set<'h> {
    fn read(instance: u32, slots: Slots<'h>) -> Result<Self, Failure> {
        let [results, message_signature, seal] = slots;
        let missing = |field| Failure::Missing { instance, field };
        let (_, results) = results.ok_or_else(|| missing(FieldKind::Results))?;
        let message_signature = message_signature.ok_or_else(|| missing(FieldKind::MessageSignature))?;
        let (_, seal_field) = seal.ok_or_else(|| missing(FieldKind::Seal))?;
        let seal = Seal::read(instance, &seal_field)?;
        Ok(Self { instance, results, message_signature, seal_field, seal })
    }

    /// The message signature, read; `now` is held against its `x=`.
    pub(super) fn message_signature(&self, now: u64) -> Result<Signature, Failure> {
        let instance = self.instance;
        let failed = |failure| Failure::MessageSignature { instance, failure };
        let tags = TagList::parse(self.message_signature.1.value()).map_err(|error| failed(error.into()))?;
        let signature = Signature::from_tags(&tags, Kind::Arc).map_err(failed)?;
        signature.check_time(now).map_err(failed)?;
        let named =
            |kind: &FieldKind| signature.signed_fields.iter().any(|n| n.eq_ignore_ascii_case(kind.as_str()));
        // RFC 8617 §4.1.2.
        match FieldKind::ALL.into_iter().find(named) {
            Some(field) => Err(Failure::SignsArc { instance, field }),
            None => Ok(signature),
        }
    }

    pub(super) fn facts(&self) -> SetFacts {
        SetFacts {
            instance: self.instance,
            sealer: self.seal.domain.clone(),
            selector: self.seal.selector.to_string(),
            results: String::from_utf8_lossy(self.results.value()).trim().to_owned(),
        }
    }
}

impl Seal {
    fn read(instance: u32, field: &Field<'_>) -> Result<Self, Failure> {
        let failed = |failure| Failure::Seal { instance, failure };
        let tags = TagList::parse(field.value()).map_err(|error| syntax(instance, error))?;
        if tags.get("h").is_some() {
            return Err(Failure::SealNamesFields(instance));
        }
        let status = tags.get("cv").and_then(ChainStatus::parse);
        let status = status.ok_or(Failure::NoStatus(instance))?;
        let required =
            |name: &'static str| tags.get(name).ok_or_else(|| failed(dkim::Failure::MissingTag(name)));
        let algorithm = Algorithm::parse(required("a")?).map_err(failed)?;
        let domain = parse_domain(required("d")?).map_err(failed)?;
        let selector = parse_selector(required("s")?, &domain).map_err(failed)?;
        let signature = base64("b", required("b")?).map_err(|error| syntax(instance, error))?;
        // "t=" is for people; one that is no number makes no seal all the same (RFC 6376 §3.5).
        if let Some(text) = tags.get("t").filter(|t| t.is_empty() || !t.bytes().all(|b| b.is_ascii_digit())) {
            return Err(syntax(instance, TagError::Value("t", shortened(text))));
        }
        let signature_extent = tags.extent("b").ok_or_else(|| failed(dkim::Failure::MissingTag("b")))?;
        Ok(Self { algorithm, domain, selector, status, signature, signature_extent })
    }

    pub(super) fn key_name(&self) -> String {
        key_name(&self.selector, &self.domain)
    }
}

fn syntax(instance: u32, error: TagError) -> Failure {
    Failure::Syntax { instance, field: FieldKind::Seal, error }
}
