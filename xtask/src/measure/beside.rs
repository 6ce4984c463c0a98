//! The same load through Waypost and through Postfix, in turns, so that what else the machine does hits both alike.

use super::figure::{Figure, median};
use super::load::{Load, Relayed, relay};
use super::postfix::Postfix;
use super::site::Site;
use super::{Context, Findings};
use crate::Error;

/// What is wanted of all rates: three times Postfix's.
const TARGET: f64 = 3.0;

/// Adds the rates of both, and how they compare; `name` stands before each figure.
pub(super) fn compare(
    context: &Context<'_>,
    name: &str,
    load: &Load,
    findings: &mut Findings,
) -> Result<(), Error> {
    let postfix = Postfix::start(context, load.starttls)?;
    let site = Site::new(context.program, "", "")?;
    if load.starttls {
        postfix.share_certificate(site.installation.folder())?;
    }
    let _server = site.installation.serve()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=context.rounds {
        context.tell(format!("{name}, round {round} of {}: waypost", context.rounds));
        ours.push(relay(context, load, site.smtp(), site.sink())?);
        context.tell(format!("{name}, round {round} of {}: postfix", context.rounds));
        theirs.push(relay(context, load, postfix.smtp.into(), postfix.sink)?);
    }
    let add = |figure: Figure| findings.figures.push(figure);
    rates(name, &ours, &theirs).into_iter().for_each(add);
    Ok(())
}

type Pick = fn(&Relayed) -> f64;

fn rates(name: &str, ours: &[Relayed], theirs: &[Relayed]) -> Vec<Figure> {
    let of = |(kind, pick): (&str, Pick)| {
        let (ours, theirs) = (median(ours.iter().map(pick)), median(theirs.iter().map(pick)));
        [
            Figure::new(format!("{name}_{kind}_waypost"), ours, "messages/s"),
            Figure::new(format!("{name}_{kind}_postfix"), theirs, "messages/s"),
            Figure::new(format!("{name}_{kind}_vs_postfix"), ours / theirs, "times").at_least(TARGET),
        ]
    };
    let kinds: [(&str, Pick); 2] =
        [("accepted", |rates| rates.accepted), ("delivered", |rates| rates.delivered)];
    kinds.into_iter().flat_map(of).collect()
}
