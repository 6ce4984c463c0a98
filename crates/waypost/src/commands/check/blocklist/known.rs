//! Lists that many receivers ask, and what it means to be in them.

/// A list of addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) zone: &'static str,
    /// Its entries are well thought of (a DNSWL).
    pub(super) good: bool,
    /// What an entry means, and what to do.
    pub(super) meaning: &'static str,
}

const fn bad(zone: &'static str, meaning: &'static str) -> Known {
    Known { zone, good: false, meaning }
}

const fn good(zone: &'static str, meaning: &'static str) -> Known {
    Known { zone, good: true, meaning }
}

/// Asked when no `--list` is given.
pub(super) const LISTS: [Known; 12] = [
    bad(
        "zen.spamhaus.org",
        "sources of spam, hijacked machines, and addresses that should not send mail at all (dial-up, home); asked by most \
         large receivers. It does not answer public resolvers: ask through one of your own",
    ),
    bad(
        "bl.spamcop.net",
        "mail that people reported as spam in the last days; entries end by themselves after a day",
    ),
    bad(
        "b.barracudacentral.org",
        "senders of spam to Barracuda's customers; answers only those who registered",
    ),
    bad("psbl.surriel.com", "senders to spam traps; anyone can take an address out"),
    bad("dnsbl.dronebl.org", "hijacked machines and open proxies"),
    bad("bl.mailspike.net", "senders with a bad reputation"),
    bad("bl.blocklist.de", "addresses that attacked servers: guessed passwords, above all"),
    bad("all.s5h.net", "senders of spam, as seen by one operator"),
    bad("dnsbl-1.uceprotect.net", "single addresses that sent to spam traps; entries end after a week"),
    bad("spam.dnsbl.anonmails.de", "senders to spam traps"),
    good("list.dnswl.org", "senders known to be well run; the last number is the degree of trust, 0 to 3"),
    good("wl.mailspike.net", "senders with a good reputation"),
];
