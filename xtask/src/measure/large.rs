//! Messages of 100 KB over 50 sessions, beside Postfix.

use super::beside::compare;
use super::load::Load;
use super::{Context, Findings};
use crate::Error;

const MESSAGES: u64 = 5_000;
const SIZE: u32 = 100_000;

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let load = Load { size: SIZE, messages: context.messages(MESSAGES), ..Load::default() };
    compare(context, "large", &load, &mut findings)?;
    Ok(findings)
}
