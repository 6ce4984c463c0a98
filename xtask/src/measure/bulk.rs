//! How long the 250 takes while the store does bulk work, beside the same server in the ten seconds before, in which it does none:
//! what the disk does for others changes within minutes.
//!
//! The work is a folder of 100,000 messages copied and deleted over IMAP, as many messages removed over POP3, and an
//! account removed with as many. Their delivery, as fast as a few sessions can, is measured without a target, as that
//! is load and no bulk work.

use super::figure::Figure;
use super::load::Load;
use super::probe::{Latency, during};
use super::site::Site;
use super::{Context, Findings, process};
use crate::Error;
use crate::imap::Imap;
use crate::installation::{HOSTNAME, IMAPS, PASSWORD};
use crate::maildrop::Marked;
use std::time::{Duration, Instant};

const MESSAGES: u64 = 100_000;
/// Sessions that fill the mailbox.
const SESSIONS: u32 = 10;
/// For the figures of a server with nothing else to do, before each piece of work.
const QUIET: Duration = Duration::from_secs(10);
/// What is deleted goes in the background: for so long the 250s are still looked at.
const AFTERWARDS: Duration = Duration::from_secs(10);
/// For all that was delivered to be in the index, and what was deleted to be gone.
const IDLE_LIMIT: Duration = Duration::from_secs(1800);
/// Whose mailbox it is that is filled, and whom the probe writes to.
const FULL: &str = "full@example.org";
const PROBED: &str = "probed@example.org";

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let messages = context.messages(MESSAGES);
    let site = Site::new(context.program, "", "")?;
    let installation = &site.installation;
    installation.populate(&["full", "probed"])?;
    let server = installation.serve()?;
    let load = Load { connections: SESSIONS, messages, to: FULL, ..Load::default() };

    let quiet = || {
        context.tell("waiting for the index, and for what goes by and by".to_owned());
        process::wait_until_idle(server.id(), IDLE_LIMIT)?;
        context.tell("nothing else".to_owned());
        let idle = probed(&site, || {
            pause(context, QUIET);
            Ok(())
        })?;
        Ok::<_, Error>(idle.latency)
    };
    context.tell(format!("{messages} messages are put into a mailbox"));
    let delivery = probed(&site, || load.send(context, site.smtp()).map(drop))?;
    let before_copy = quiet()?;
    context.tell(format!("{messages} messages are copied over IMAP"));
    let mut client = Imap::connect(installation.place(IMAPS), installation.tls(), HOSTNAME)?;
    client.log_in(FULL, PASSWORD)?;
    client.ask("CREATE copies")?;
    client.select("INBOX")?;
    let copy = probed(&site, || Ok(client.ask("COPY 1:* copies").map(drop)?))?;
    let copied = client.select("copies")?;
    if copied != messages {
        return Err(Error::Stuck(format!("{copied} messages were copied")));
    }
    client.select("INBOX")?;
    let before_deletion = quiet()?;
    context.tell(format!("a folder of {messages} messages is deleted over IMAP"));
    let deletion = probed(&site, || {
        client.ask("DELETE copies")?;
        pause(context, AFTERWARDS);
        Ok(())
    })?;
    client.log_out()?;
    let before_removal = quiet()?;
    context.tell(format!("{messages} messages are removed over POP3"));
    let marked = Marked::all(installation, FULL)?;
    if marked.count() as u64 != messages {
        return Err(Error::Stuck(format!("{} messages are in the mailbox", marked.count())));
    }
    let removal = probed(&site, || marked.remove())?;
    context.tell(format!("an account with {messages} messages is removed"));
    load.send(context, site.smtp())?;
    let before_account = quiet()?;
    let account = probed(&site, || {
        installation.command(&["account", "remove", FULL, "--yes"], "")?;
        pause(context, AFTERWARDS);
        Ok(())
    })?;

    let messages = Figure::new("messages", messages as f64, "messages");
    let figures = [messages].into_iter().chain(delivery.figures("messages_delivered"));
    let figures = figures.chain(copy.beside("messages_copied", &before_copy));
    let figures = figures.chain(deletion.beside("folder_deleted", &before_deletion));
    let figures = figures.chain(removal.beside("messages_removed", &before_removal));
    Ok(Findings::of(figures.chain(account.beside("account_removed", &before_account))))
}

/// So that there are enough 250s; in a trial one of them is enough.
fn pause(context: &Context<'_>, time: Duration) {
    std::thread::sleep(if context.is_trial() { time / 20 } else { time });
}

/// A piece of work, and the 250s that came while it was done.
struct Work {
    took: Duration,
    latency: Latency,
}

fn probed(site: &Site, work: impl FnOnce() -> Result<(), Error>) -> Result<Work, Error> {
    let began = Instant::now();
    let ((), latency) = during(site.smtp(), PROBED, work)?;
    Ok(Work { took: began.elapsed(), latency })
}

impl Work {
    fn figures(&self, name: &str) -> [Figure; 5] {
        let Self { took, latency } = self;
        [
            Figure::new(format!("{name}_time"), took.as_secs_f64(), "s"),
            Figure::new(format!("{name}_probes"), latency.count as f64, "messages"),
            Figure::new(format!("{name}_p50"), latency.p50, "ms"),
            Figure::new(format!("{name}_p99"), latency.p99, "ms"),
            Figure::new(format!("{name}_max"), latency.max, "ms"),
        ]
    }

    /// With what the same took when there was nothing else to do.
    fn beside(&self, name: &str, quiet: &Latency) -> impl Iterator<Item = Figure> {
        let ratio = self.latency.p99 / quiet.p99;
        let quiet = Figure::new(format!("{name}_quiet_p99"), quiet.p99, "ms");
        let ratio = Figure::new(format!("{name}_p99_vs_quiet"), ratio, "times").at_most(2.0);
        self.figures(name).into_iter().chain([quiet, ratio])
    }
}
