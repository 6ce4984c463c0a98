//! Accepting into a mailbox here, beside relaying to a sink: 50 sessions each, in turns.

use super::figure::{Figure, median};
use super::load::{Load, relay};
use super::site::Site;
use super::{Context, Findings};
use crate::Error;

const MESSAGES: u64 = 20_000;
const ACCOUNT: &str = "ann";
const ADDRESS: &str = "ann@example.org";

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let site = Site::new(context.program, "", "")?;
    site.installation.populate(&[ACCOUNT])?;
    let _server = site.installation.serve()?;
    let onward = Load { messages: context.messages(MESSAGES), ..Load::default() };
    let here = Load { to: ADDRESS, ..onward };
    let (mut local, mut accepted, mut delivered) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=context.rounds {
        context.tell(format!("round {round} of {}: relaying", context.rounds));
        let relayed = relay(context, &onward, site.smtp(), site.sink())?;
        accepted.push(relayed.accepted);
        delivered.push(relayed.delivered);
        context.tell(format!("round {round} of {}: into a mailbox", context.rounds));
        local.push(here.send(context, site.smtp())?.messages_per_second);
    }
    let (local, accepted, delivered) = (median(local), median(accepted), median(delivered));
    Ok(Findings::of([
        Figure::new("local", local, "messages/s"),
        Figure::new("relayed_accepted", accepted, "messages/s"),
        Figure::new("relayed_delivered", delivered, "messages/s"),
        Figure::new("local_vs_relayed", local / delivered, "times").at_least(1.0),
    ]))
}
