//! The reference of all keys, from which `docs/configuration.md` is made ([`markdown`]).
//!
//! Tests hold this table to the parser: each key is accepted, each default is what [`Config`](super::Config) has,
//! and each example makes a difference.

use std::fmt::Write as _;

/// One table of the file; the first is the top of the file and has no name.
#[derive(Debug)]
pub struct Table {
    /// As in the file, without brackets; `[[…]]` where [`Table::repeated`] is set.
    pub name: &'static str,
    pub repeated: bool,
    pub doc: &'static str,
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: &'static str,
    /// What it is when left out, as TOML; none where there is no such value.
    pub default: Option<&'static str>,
    /// Another value, as TOML.
    pub example: &'static str,
    pub doc: &'static str,
}

const fn key(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, kind, default: Some(default), example, doc }
}

const fn required(name: &'static str, kind: &'static str, example: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default: None, example, doc }
}

const PLACES: &str = "list of places";
const NETWORKS: &str = "list of networks";
const FILE: &str = "file";
const COUNT: &str = "number";
const BOUND: &str = "number, 0: no limit";
const SIZE: &str = "size";
const TIME: &str = "time";
const ACTION: &str = "action";

/// The keys of `[delivery]`, which a `[[route]]` takes too.
const DELIVERY: &[Key] = &[
    key(
        "smarthost",
        "URL",
        r#""""#,
        r#""smtp://relay.example.net:587""#,
        "All mail goes to this host instead of the MX hosts. `smtp://HOST[:PORT]` takes STARTTLS when it is offered (port 25), `smtps://HOST[:PORT]` is TLS from the start (port 465). The name is not looked up for MX.",
    ),
    key(
        "username",
        "text",
        r#""""#,
        r#""us""#,
        "The name to log in with at the smart host. With it goes `password-file`, and TLS must then be `verified`, whatever `tls` says.",
    ),
    key(
        "password-file",
        FILE,
        r#""""#,
        r#""relay.password""#,
        "Its first line is the password, or `Bearer` and a token for OAUTHBEARER or XOAUTH2. Who renews the token writes the file anew and reloads (SIGHUP).",
    ),
    key("port", COUNT, "25", "2525", "The port at which MX hosts are called."),
    key(
        "tls",
        "`opportunistic`, `required`, `verified`, `dane` or `unchecked`",
        r#""opportunistic""#,
        r#""verified""#,
        "`opportunistic` encrypts when the host offers it; `required` does not send without; `verified` wants a certificate that is valid for the host's name as well. What the other side publishes (DANE, MTA-STS) is kept to where it asks for more, except with `unchecked`, which is `opportunistic` for one whose records are wrong. `dane` sends to hosts with TLSA records that DNSSEC vouches for, and to no others.",
    ),
    key(
        "source",
        "list of addresses",
        "[]",
        r#"["192.0.2.1", "2001:db8::1"]"#,
        "Own addresses to call from. Empty: the system chooses.",
    ),
    key("helo", "domain", r#""""#, r#""out.example.org""#, "The name said in EHLO. Empty: `hostname`."),
    key("family", "`both`, `ipv4` or `ipv6`", r#""both""#, r#""ipv4""#, "Which kinds of address are called."),
];

/// Every table of the file, in the order of the document.
pub const TABLES: &[Table] = &[
    Table {
        name: "",
        repeated: false,
        doc: "At the top of the file, before the first table.",
        keys: &[
            required(
                "hostname",
                "domain",
                r#""mail.example.org""#,
                "The name this machine has in DNS: in the greeting, in EHLO and in Received. The only key that must be there.",
            ),
            key(
                "data",
                "folder",
                r#""/var/lib/waypost""#,
                r#""data""#,
                "Where messages, accounts and the queue are kept. A change needs a restart.",
            ),
            key(
                "user",
                "text",
                r#""""#,
                r#""waypost""#,
                "The user to become once ports, keys and folders are open. Empty: no change of user (as root: a warning). A change needs a restart.",
            ),
        ],
    },
    Table {
        name: "listen",
        repeated: false,
        doc: "Without this table: the standard ports of SMTP (25), submission (587, 465) and POP3 (110, 995), on all addresses. With it: exactly what it lists.\n\nA place is an address and port (`\"[::]:25\"`; `[::]` is both families, IPv4 alone where there is no IPv6) or a socket (`\"unix:/path\"`). An entry may also be a table, for settings of its own: `{ address = \"[::]:25\", proxy-from = [\"10.0.0.0/8\"], tls = false }`. Changed places need a restart.",
        keys: &[
            key("smtp", PLACES, "[]", r#"["[::]:25"]"#, "Mail from other servers."),
            key(
                "submission",
                PLACES,
                "[]",
                r#"["[::]:587", "[::]:2525"]"#,
                "Mail from people here, after STARTTLS and a login. Also 2525 where a network blocks 587.",
            ),
            key("submissions", PLACES, "[]", r#"["[::]:465"]"#, "The same with TLS from the start."),
            key(
                "lmtp",
                PLACES,
                "[]",
                r#"["unix:/run/waypost/lmtp"]"#,
                "Mail from another server on this machine, for the mailboxes here.",
            ),
            key("imap", PLACES, "[]", r#"["[::]:143"]"#, "IMAP, with STARTTLS."),
            key("imaps", PLACES, "[]", r#"["[::]:993"]"#, "IMAP with TLS from the start."),
            key("pop3", PLACES, "[]", r#"["[::]:110"]"#, "POP3, with STLS."),
            key("pop3s", PLACES, "[]", r#"["[::]:995"]"#, "POP3 with TLS from the start."),
            key(
                "managesieve",
                PLACES,
                "[]",
                r#"["[::]:4190"]"#,
                "ManageSieve. Not in this version: nothing listens.",
            ),
            key(
                "http",
                PLACES,
                "[]",
                r#"["127.0.0.1:8025"]"#,
                "HTTP. Not in this version: nothing listens (but `waypost dev` has its page).",
            ),
            key(
                "https",
                PLACES,
                "[]",
                r#"["[::]:443"]"#,
                "HTTPS: the MTA-STS policies of domains that have one (`waypost domain mta-sts`), at `mta-sts.DOMAIN`, for which `[tls]` needs a certificate.",
            ),
            key(
                "proxy-from",
                NETWORKS,
                "[]",
                r#"["10.0.0.0/8"]"#,
                "Balancers whose connections begin with a PROXY header (version 1 or 2), at every place that does not say otherwise. Connections from elsewhere must not send one.",
            ),
            key(
                "xclient-from",
                NETWORKS,
                "[]",
                r#"["10.0.0.0/8"]"#,
                "Hosts that may say with XCLIENT for whom they speak (and with XFORWARD, for log and trail alone). It gives nobody the right to relay.",
            ),
        ],
    },
    Table {
        name: "tls",
        repeated: false,
        doc: "All files are PEM. They are read again at SIGHUP, when the keys may also name others, in folders that some setting named before; and within a minute after they change. The certificate's file holds the chain, the own certificate first.",
        keys: &[
            key(
                "certificate",
                FILE,
                r#""""#,
                r#""cert.pem""#,
                "The certificate for clients that name no host. With it goes `key`.",
            ),
            key("key", FILE, r#""""#, r#""key.pem""#, "Its private key."),
            key(
                "client-ca",
                FILE,
                r#""""#,
                r#""clients.pem""#,
                "The authorities that issue certificates to people here. Who shows one logs in with it (AUTH EXTERNAL) to the account of its mail address (`rfc822Name` in the subjectAltName; the first that is an account's). List only those that check whose address they put in. Other certificates log in by their fingerprint alone (`waypost account certificate add`).",
            ),
        ],
    },
    Table {
        name: "tls.more",
        repeated: true,
        doc: "Certificates for further names, chosen by the name a client asks for (SNI).",
        keys: &[
            required(
                "certificate",
                FILE,
                r#""other.pem""#,
                "The certificate; its names are those it is chosen for.",
            ),
            required("key", FILE, r#""other.key""#, "Its private key."),
        ],
    },
    Table {
        name: "relay",
        repeated: false,
        doc: "",
        keys: &[key(
            "trusted",
            NETWORKS,
            "[]",
            r#"["192.0.2.0/28"]"#,
            "Networks that may send to anywhere without logging in. Nothing is looked up in DNS about them, and what they send with a domain of ours in From is signed (DKIM): so no host that brings in what strangers wrote, such as another MX in front of this one. Empty: nobody; loopback is not in it by itself.",
        )],
    },
    Table { name: "delivery", repeated: false, doc: "How messages leave.", keys: DELIVERY },
    Table {
        name: "route",
        repeated: true,
        doc: "Another way for some messages: the first route that matches wins. It takes the keys of `[delivery]` as well; what it leaves out is as there, but a route to another host does not inherit `username`. A route never makes a domain ours: that is `waypost domain add`.",
        keys: &[
            required(
                "domain",
                "domain",
                r#""lists.example.org""#,
                "For recipients of this domain; `*.example.org`: of the domains below it; `*`: of all. A route has either `domain` or `sender`.",
            ),
            required(
                "sender",
                "address or domain",
                r#""news@example.org""#,
                "For messages whose envelope has this sender, a sender of this domain (`example.org`, `*.example.org`, `*`), or `<>`: notifications.",
            ),
            key(
                "to",
                "destination",
                r#""""#,
                r#""lmtp://127.0.0.1:24""#,
                "`smtp://HOST[:PORT]`, `smtps://HOST[:PORT]`, `lmtp://HOST[:PORT]`, `lmtp:///path/of/socket`, `mailbox` (here), `hold` (kept in the queue until released) or `discard` (accepted and thrown away, as the trail says). Empty: as `[delivery]` says, with this route's other keys.",
            ),
        ],
    },
    Table {
        name: "dns",
        repeated: false,
        doc: "",
        keys: &[
            key(
                "servers",
                "list of addresses",
                "[]",
                r#"["127.0.0.1:5353"]"#,
                "Whom to ask; the port is 53 when left out. Empty: the system's.",
            ),
            key(
                "trust-anchor",
                FILE,
                r#""""#,
                r#""anchor""#,
                "A file of DNSKEY records to trust in place of the root's, in zone-file form. For tests.",
            ),
        ],
    },
    Table {
        name: "dkim",
        repeated: false,
        doc: "The keys that sign mail of the domains here; see `waypost domain dkim --help`.",
        keys: &[key(
            "rotate-every",
            TIME,
            r#""0 s""#,
            r#""90 d""#,
            "When a domain's keys have signed for so long, new ones are made. They sign once their records are in the DNS, so look at `waypost domain dkim status` then, and publish them. `0 s`: only by command.",
        )],
    },
    Table {
        name: "limits",
        repeated: false,
        doc: "What one client, one account and all together may take. What is over a limit is refused for now (4xx) where trying later helps.",
        keys: &[
            key(
                "message-size",
                SIZE,
                r#""50 MiB""#,
                r#""10 MiB""#,
                "The largest message taken; said in EHLO (SIZE).",
            ),
            key(
                "recipients",
                COUNT,
                "1000",
                "100",
                "Recipients of one message; more are put off, so that the sender splits it.",
            ),
            key(
                "connections",
                COUNT,
                "10000",
                "500",
                "Connections in all, of every kind. Lowered, with a warning, to what the file-handle limit allows (which is raised to the hard one).",
            ),
            key(
                "connections-per-address",
                BOUND,
                "50",
                "5",
                "Connections of one address (IPv6: one /64) at the same time.",
            ),
            key(
                "connections-per-minute",
                BOUND,
                "120",
                "10",
                "New connections of one address (IPv6: one /64) in a minute.",
            ),
            key("messages-per-session", BOUND, "1000", "10", "Messages in one connection."),
            key("messages-per-hour", BOUND, "1000", "50", "Messages that one account sends in an hour."),
            key(
                "recipients-per-hour",
                BOUND,
                "2000",
                "100",
                "Recipients to whom one account sends in an hour.",
            ),
            key(
                "messages-per-hour-and-address",
                BOUND,
                "0",
                "1000",
                "Messages that one address (IPv6: one /64) outside brings in an hour. Not for those who log in, trusted and exempt networks.",
            ),
            key(
                "messages-per-hour-and-network",
                BOUND,
                "0",
                "5000",
                "The same of an address and its neighbours (IPv4: a /24, IPv6: a /56).",
            ),
            key(
                "messages-per-hour-and-sender",
                BOUND,
                "0",
                "100",
                "Messages with one sender in the envelope that are brought from outside in an hour.",
            ),
            key(
                "commands",
                COUNT,
                "100",
                "20",
                "Commands in a session that carry no mail along (NOOP, RSET, VRFY and the like) since the last message.",
            ),
            key(
                "errors",
                COUNT,
                "20",
                "5",
                "Wrong commands and refused recipients in a session before it is ended with 421.",
            ),
            key(
                "auth-failures",
                BOUND,
                "10",
                "3",
                "Failed logins of one address, of any protocol, before it is shut out. Each one is answered more slowly.",
            ),
            key(
                "shut-out",
                TIME,
                r#""15 min""#,
                r#""1 h""#,
                "For how long an address is then shut out, and the time in which failures add up.",
            ),
            key("hops", COUNT, "100", "30", "Received fields in a message that show a loop."),
            key("idle", TIME, r#""5 min""#, r#""1 min""#, "How long an SMTP session may say nothing."),
            key(
                "minimum-rate",
                "size a second, 0: any",
                r#""100 B""#,
                r#""1 KiB""#,
                "A client that sends a message more slowly than this is cut off.",
            ),
            key(
                "memory",
                SIZE,
                r#""256 MiB""#,
                r#""64 MiB""#,
                "All message bodies in memory together. What does not fit goes to disk.",
            ),
            key(
                "undelete",
                TIME,
                r#""14 days""#,
                r#""30 days""#,
                "How long a removed message can be brought back (`waypost mail undelete`), and takes space on the disk; its part of the quota is free at once. `\"0 s\"`: not at all; programs that have the folder open can read it for an hour all the same.",
            ),
            key(
                "trail",
                TIME,
                r#""30 days""#,
                r#""90 days""#,
                "How long what happened to a message can be asked for (`waypost trail`), counted from when it came, and takes space on the disk. Longer than `queue.lifetime`, or a message may still wait whose trail is gone.",
            ),
            key(
                "exempt",
                NETWORKS,
                "[]",
                r#"["192.0.2.0/28"]"#,
                "Networks that limits per address and per session, and shut-outs, leave alone.",
            ),
        ],
    },
    Table {
        name: "submission",
        repeated: false,
        doc: "Mail from the accounts here.",
        keys: &[
            key(
                "check-sender",
                "true or false",
                "true",
                "false",
                "The envelope's sender and the From field must be addresses of the account.",
            ),
            key(
                "hide-client-address",
                "true or false",
                "true",
                "false",
                "The client's address and name stay out of the Received field. The trail has them.",
            ),
        ],
    },
    Table {
        name: "smtp",
        repeated: false,
        doc: "Mail from other servers.",
        keys: &[
            key(
                "greeting-delay",
                TIME,
                r#""0 s""#,
                r#""3 s""#,
                "Wait this long before the greeting, and refuse clients that talk before it. On port 25 only, never for loopback, trusted or exempt networks. `0 s`: greet at once.",
            ),
            key(
                "bare-newline",
                "`reject` or `normalise`",
                r#""reject""#,
                r#""normalise""#,
                "What to do with a message that has a CR or LF alone: refuse it, or make CRLF of it. It never ends a message, nor is it passed on.",
            ),
        ],
    },
    Table {
        name: "policy",
        repeated: false,
        doc: "What to do with mail from strangers: clients of port 25 that neither logged in nor are on this machine or in a network of `[relay]` `trusted`. Nobody else is looked up. [What happens to mail that arrives](arrival.md) tells of each check.\n\nEach check has an action for when it fails: `nothing` (not even told), `mark` (told in Authentication-Results and the trail), `quarantine` (taken, into the folder Junk; with `X-Spam-Flag: YES` for the next host) or `reject`. What the DNS does not tell for now is put off (451) where the action would be `quarantine` or `reject`, and told otherwise.",
        keys: &[
            key(
                "iprev",
                ACTION,
                r#""mark""#,
                r#""nothing""#,
                "The client's address has no name, or none that leads back to it (5.7.25).",
            ),
            key(
                "helo",
                ACTION,
                r#""mark""#,
                r#""reject""#,
                "The name in EHLO is no full host name, not the client's own address, or ours.",
            ),
            key(
                "helo-sends",
                ACTION,
                r#""reject""#,
                r#""mark""#,
                "The name in EHLO is of a host whose SPF record begins with `-all`: it never sends mail (5.7.23).",
            ),
            key(
                "sender-domain",
                ACTION,
                r#""mark""#,
                r#""reject""#,
                "Mail to the envelope's sender could not be delivered: its domain has no host for mail (5.1.8), or says that it takes none (null MX, 5.7.27).",
            ),
            key(
                "spf",
                ACTION,
                r#""mark""#,
                r#""quarantine""#,
                "The domain of the envelope's sender says that the client may not send for it (5.7.23). Rejecting for that alone loses forwarded mail.",
            ),
            key(
                "dkim",
                ACTION,
                r#""mark""#,
                r#""nothing""#,
                "The message has signatures, and none is good (5.7.20). Mailing lists break signatures.",
            ),
            key(
                "dmarc",
                ACTION,
                r#""reject""#,
                r#""quarantine""#,
                "DMARC fails: the most that is done of what the author's domain asks for. Also for messages whose From names authors of several domains.",
            ),
            key(
                "own-domain",
                ACTION,
                r#""mark""#,
                r#""reject""#,
                "The author or the envelope's sender is of a domain of ours, and neither SPF nor DKIM says that the message is from it. Not for those who log in and trusted networks. List all hosts that send for your domains in SPF before you set more than `mark`.",
            ),
            key(
                "trusted-sealers",
                "list of domains",
                "[]",
                r#"["lists.example.org"]"#,
                "Domains whose ARC seals are believed: a message that fails DMARC passes when such a sealer found that it passed there. For mailing lists and forwarders that you know.",
            ),
            key(
                "quarantine-points",
                COUNT,
                "5",
                "3",
                "Points of all `[[policy.list]]` together from which a message is put into Junk.",
            ),
            key("reject-points", COUNT, "10", "8", "Points from which it is rejected."),
            key(
                "rewrite-from",
                "true or false",
                "false",
                "true",
                "Mail that an alias sends on to another's server may have another From: the alias, with the author's name before it (`\"Joe via example.org\" <alias@example.org>`), and answers go to the author. It is done only where DMARC would fail at the next host: the author's domain asks for quarantine or rejection, and no signature of it holds. The alias's domain needs DKIM keys, and `dmarc` an action that is told.",
            ),
        ],
    },
    Table {
        name: "policy.greylist",
        repeated: false,
        doc: "Who has not sent here before is asked to come back, which programs that only send spam do not. Not for those whose sender SPF vouches for, for those on lists of the good (points below 0), and for networks of `limits.exempt`; and never for those who log in.",
        keys: &[
            key(
                "enabled",
                "true or false",
                "false",
                "true",
                "Whether anybody is asked. A `[[policy.domain]]` can have it otherwise.",
            ),
            key("delay", TIME, r#""1 min""#, r#""5 min""#, "Who comes back sooner still has to wait."),
            key("window", TIME, r#""1 d""#, r#""4 h""#, "Who comes back later begins anew."),
            key(
                "remember",
                TIME,
                r#""36 d""#,
                r#""14 d""#,
                "How long who came back is known (by network, IPv4 /24 or IPv6 /56, and domain of the sender) after its last message.",
            ),
            key(
                "ask-verified",
                "true or false",
                "false",
                "true",
                "Also those whose sender SPF vouches for are asked (that a record lets every address pass, `+all`, is no vouching). Who came back is then known wherever the domain sends from.",
            ),
        ],
    },
    Table {
        name: "policy.domain",
        repeated: true,
        doc: "Other actions and settings for mail to one domain. What it leaves out is as in `[policy]`. A message to several recipients is rejected when all their domains reject it; where only some do, these have it in Junk.",
        keys: &[
            required("name", "domain", r#""example.org""#, "A domain that is served here, local or relayed."),
            required("iprev", ACTION, r#""nothing""#, "As in `[policy]`, for mail to this domain."),
            required("helo", ACTION, r#""reject""#, "As in `[policy]`, for mail to this domain."),
            required("helo-sends", ACTION, r#""mark""#, "As in `[policy]`, for mail to this domain."),
            required("sender-domain", ACTION, r#""reject""#, "As in `[policy]`, for mail to this domain."),
            required("spf", ACTION, r#""quarantine""#, "As in `[policy]`, for mail to this domain."),
            required("dkim", ACTION, r#""nothing""#, "As in `[policy]`, for mail to this domain."),
            required("dmarc", ACTION, r#""quarantine""#, "As in `[policy]`, for mail to this domain."),
            required("own-domain", ACTION, r#""reject""#, "As in `[policy]`, for mail to this domain."),
            required("quarantine-points", COUNT, "3", "As in `[policy]`, for mail to this domain."),
            required("reject-points", COUNT, "8", "As in `[policy]`, for mail to this domain."),
            required(
                "greylist",
                "true or false",
                "true",
                "Whether strangers who write to this domain are asked to come back; how, `[policy.greylist]` says.",
            ),
            required(
                "rewrite-from",
                "true or false",
                "true",
                "As in `[policy]`, for what goes on from addresses of this domain.",
            ),
        ],
    },
    Table {
        name: "policy.list",
        repeated: true,
        doc: "A list of addresses or domains in the DNS, of the bad (DNSBL, URIBL) or of the good (DNSWL); at most 32. Points of all entries are added up. Every list is tested at start and each quarter of an hour (RFC 5782): one that lacks its test entry, or lists everything, is left out, with an error in the log (`alert=list-dead`). Answers outside 127/8 count for nothing. Many lists do not answer public resolvers: run one of your own, and read the list's terms.",
        keys: &[
            required("zone", "domain", r#""zen.spamhaus.example""#, "The name of the list."),
            key(
                "of",
                "`addresses` or `domains`",
                r#""addresses""#,
                r#""domains""#,
                "`addresses`: the client's, IPv4 and IPv6. `domains`: the envelope's sender's, the author's, and those that links in the text lead to (20 at most).",
            ),
            required("points", "number", "5", "What an entry counts; below 0 for a list of the good."),
            key(
                "codes",
                "list of answers",
                "[]",
                r#"["127.0.0.2-127.0.0.11", "&127.0.0.4"]"#,
                "Which answers count: an address, a range, or `&` and the bits that must be there. Empty: all but 127.255.255/24, where lists put their errors.",
            ),
        ],
    },
    Table {
        name: "imap",
        repeated: false,
        doc: "Mailboxes, for programs that read them.",
        keys: &[key(
            "unauthenticate",
            "true or false",
            "true",
            "false",
            "A connection may serve one account after another (UNAUTHENTICATE), as gateways that work for many people want. Say `false` behind a proxy that looks at the first login of a connection alone: the next one would pass it by. Connections that are open keep what they were offered.",
        )],
    },
    Table {
        name: "queue",
        repeated: false,
        doc: "When to try again, and how hard.",
        keys: &[
            key(
                "first-retry",
                TIME,
                r#""5 min""#,
                r#""1 min""#,
                "The wait after the first attempt; it doubles with each further one, give or take a fifth.",
            ),
            key("max-retry", TIME, r#""4 h""#, r#""1 h""#, "The longest wait between two attempts."),
            key(
                "lifetime",
                TIME,
                r#""5 d""#,
                r#""2 d""#,
                "After this a message that could not be delivered is returned.",
            ),
            key(
                "lifetime-null",
                TIME,
                r#""2 d""#,
                r#""1 d""#,
                "The same for notifications (null sender), which go to the postmaster then.",
            ),
            key(
                "delay-notice",
                TIME,
                r#""4 h""#,
                r#""0 s""#,
                "After this the sender is told, once, that a message is still waiting. `0 s`: never.",
            ),
            key(
                "concurrency-initial",
                COUNT,
                "5",
                "2",
                "Connections to a destination at first. It grows by one each clean round and is halved on 421 or a failed connection.",
            ),
            key("concurrency-max", COUNT, "20", "40", "Connections to a destination at most."),
        ],
    },
    Table {
        name: "reports",
        repeated: false,
        doc: "Reports that domains ask for in their DMARC and TLS reporting records, and those that come about ours: `waypost domain reports` shows them.",
        keys: &[
            key(
                "dmarc",
                "true or false",
                "true",
                "false",
                "Whether domains that ask for it (`rua` in their DMARC record) are sent a daily report of the mail that came in their name, counted by source.",
            ),
            key(
                "tls",
                "true or false",
                "true",
                "false",
                "Whether domains that ask for it (`_smtp._tls`) are sent a daily report of the TLS of our connections to their hosts.",
            ),
            key(
                "failure",
                "true or false",
                "false",
                "true",
                "Whether domains that ask for it (`ruf`) are told at once of single messages that fail in their name, at most 20 a day each: those that `fo` in their record asks for, also of one signature (`d`) or of SPF (`s`) alone. These reports have the header of the message, and so names and addresses.",
            ),
            key(
                "from",
                "address",
                r#""""#,
                r#""reports@example.org""#,
                "Who sends reports. Its domain is named as the reporter and signs; what cannot be delivered comes back to it. Empty: the postmaster of the first domain here.",
            ),
            key(
                "read",
                "list of addresses or local parts",
                r#"["dmarc", "dmarc-reports", "tls-reports", "postmaster"]"#,
                r#"["reports@example.org"]"#,
                "Where reports about our domains come. The mailboxes that get mail for these addresses are read, as it arrives there; a local part counts in every domain. A new account or alias is noticed within the hour.",
            ),
        ],
    },
    Table {
        name: "log",
        repeated: false,
        doc: "",
        keys: &[
            key(
                "level",
                "`error`, `warn`, `info`, `debug` or `trace`",
                r#""info""#,
                r#""debug""#,
                "What is told.",
            ),
            key(
                "format",
                "`text` or `json`",
                r#""text""#,
                r#""json""#,
                "One line an event, for people or for programs.",
            ),
            key(
                "file",
                FILE,
                r#""""#,
                r#""waypost.log""#,
                "Empty: standard error. A file is opened anew at SIGHUP.",
            ),
        ],
    },
];

/// The keys of an entry of `[listen]` that is a table.
const ENTRY: &[&str] = &["address", "proxy-from", "xclient-from", "tls"];

/// The dotted names of all tables and keys, as an unknown one is compared to.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    for table in TABLES {
        let keys = table.keys.iter().chain(if table.name == "route" { DELIVERY } else { &[] });
        match table.name {
            "" => names.extend(keys.map(|key| key.name.to_owned())),
            name => {
                names.push(name.to_owned());
                names.extend(keys.map(|key| format!("{name}.{}", key.name)));
            }
        }
    }
    names
}

/// Whether this dotted name, without the index of array entries, is a table or key of the file.
pub fn is_known(general: &str) -> bool {
    let entry = general.strip_prefix("listen.").and_then(|rest| rest.split_once('.'));
    match entry {
        Some((service, key)) => ENTRY.contains(&key) && is_known(&format!("listen.{service}")),
        None => names().iter().any(|name| name == general),
    }
}

const HEAD: &str = "\
# Configuration

<!-- Made from crates/waypost/src/config/reference.rs; `UPDATE_EXPECT=1 cargo test -p waypost reference` makes it anew. -->

One TOML file holds what belongs to the machine. Domains, accounts and aliases are not in it: they are data, changed while
Waypost runs by `waypost domain`, `waypost account` and `waypost alias`.

Waypost reads the file that `--config` names, else the first there is of `$WAYPOST_HOME/waypost.toml`, `./waypost.toml` and
`/etc/waypost/waypost.toml`. `waypost check config` says what it makes of it. Unknown keys are errors. `SIGHUP` reloads settings and
certificates without dropping a connection; changed places to listen at, `data` and `user` need a restart (the log says so).

The shortest file that works:

```toml
hostname = \"mail.example.org\"
```

How values are written: sizes as `\"50 MiB\"` (B, kB, MB, GB, KiB, MiB, GiB; a bare number is octets), times as `\"5 min\"` (ms, s, min,
h, d), networks as `\"10.0.0.0/8\"` or an address. Relative paths start at the file's own folder. An empty string is the same as
leaving the key out.
";

/// The text of `docs/configuration.md`.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for table in TABLES {
        let title = match (table.name, table.repeated) {
            ("", _) => "Top of the file".to_owned(),
            (name, false) => format!("`[{name}]`"),
            (name, true) => format!("`[[{name}]]`"),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {title}\n\n");
        if !table.doc.is_empty() {
            let _ = write!(text, "{}\n\n", table.doc);
        }
        text.push_str("| key | value | default | |\n|---|---|---|---|\n");
        for key in table.keys {
            let default = match (key.default, table.name) {
                (None, _) => "–".to_owned(),
                (Some(_), "listen") if key.kind == PLACES => "see above".to_owned(),
                (Some(default), _) => format!("`{default}`"),
            };
            let _ = writeln!(
                text,
                "| `{}` | {} | {default} | {} Example: `{} = {}` |",
                key.name, key.kind, key.doc, key.name, key.example
            );
        }
    }
    text
}
