//! From the configuration to the settings of each room.

use super::listeners::Bound;
use crate::config::{self, BareNewline, Config, Family, Match, Target, TlsLevel};
use crate::exit::Failure;
use address::{Address, LocalPart, Secret};
use dns::{Resolver, Settings as DnsSettings};
use intake::Intake;
use net::{LimitSettings, Limits};
use policy::arrival::{self, RateRules};
use policy::{AuthRules, HarvestGuard, HarvestRules, Rate, RateLimiter};
use queue::{Backoff, DEFAULT_ATTEMPTS, DEFAULT_RECIPIENTS, Hop, Matches, Rule, RuleAction, WindowLimits};
use smtp::server::{MinimumRate, Timeouts};
use std::sync::Arc;
use std::time::Duration;
use transport::{NextHop, Proof, Terms};

/// In which a slow sender must have sent its minimum; short hiccups are forgiven.
const RATE_WINDOW: Duration = Duration::from_secs(60);
/// Notifications are from here, at this host.
const DSN_SENDER: &str = "MAILER-DAEMON";

fn whole(number: Option<u32>) -> usize {
    number.map_or(usize::MAX, |n| n as usize)
}

/// What is captured goes nowhere, and nobody is told of it.
pub(super) fn reports(config: &Config, dev: bool) -> reports::Settings {
    let config::Reports { dmarc, tls, failure, from, read } = config.reports.clone();
    let (dmarc, tls, failure) = (dmarc && !dev, tls && !dev, failure && !dev);
    reports::Settings { dmarc, tls, failure, from, read, post_anywhere: false }
}

pub(super) fn limit_settings(config: &Config) -> LimitSettings {
    let wanted = config.limits.connections as usize;
    let total = net::raise_file_limit().connections(wanted);
    if total < wanted {
        tracing::warn!(
            wanted,
            total,
            "the limit of open files allows fewer connections than configured; raise it (LimitNOFILE)"
        );
    }
    let per_address = whole(config.limits.connections_per_address);
    LimitSettings { total, per_address, exempt: config.limits.exempt.clone() }
}

pub(super) fn limits(config: &Config) -> Limits {
    Limits::new(limit_settings(config))
}

/// Octets of message bodies in memory.
pub(super) fn body_budget(config: &Config) -> usize {
    usize::try_from(config.limits.memory).unwrap_or(usize::MAX)
}

pub(super) fn store(config: &Config) -> store::Options {
    store::Options {
        body_budget: body_budget(config),
        undelete: config.limits.undelete,
        trail_kept: config.limits.trail,
        ..store::Options::default()
    }
}

pub(super) fn dns(config: &Config) -> DnsSettings {
    DnsSettings {
        servers: config.dns.servers.clone(),
        trust_anchor: config.dns.trust_anchor.clone(),
        ..DnsSettings::default()
    }
}

pub(super) fn resolver(config: &Config) -> Result<Resolver, Failure> {
    Resolver::new(&dns(config)).map_err(|e| Failure::no(format!("dns: {e}")))
}

pub(super) fn auth_rules(config: &Config) -> AuthRules {
    AuthRules {
        failures: config.limits.auth_failures.unwrap_or(0),
        shut_out: config.limits.shut_out,
        exempt: config.limits.exempt.clone(),
        ..AuthRules::default()
    }
}

pub(super) fn intake(config: &Config) -> intake::Settings {
    let limits = &config.limits;
    let mut settings = intake::Settings::new(config.hostname.clone());
    settings.trusted.clone_from(&config.relay.trusted);
    settings.exempt.clone_from(&limits.exempt);
    settings.limits.message_size = limits.message_size;
    settings.limits.recipients = limits.recipients as usize;
    settings.limits.messages = whole(limits.messages_per_session);
    settings.limits.idle_commands = limits.commands as usize;
    settings.limits.errors = limits.errors as usize;
    let octets = limits.minimum_rate.saturating_mul(RATE_WINDOW.as_secs());
    settings.limits.rate = (octets > 0).then_some(MinimumRate { octets, window: RATE_WINDOW });
    settings.timeouts = Timeouts { command: limits.idle, data: limits.idle };
    settings.bare_newline = match config.smtp.bare_newline {
        BareNewline::Reject => smtp::server::BareNewline::Reject,
        BareNewline::Normalise => smtp::server::BareNewline::Normalise,
    };
    settings.greeting_delay = config.smtp.greeting_delay;
    settings.max_hops = limits.hops as usize;
    settings.check_sender = config.submission.check_sender;
    settings.hide_client_address = config.submission.hide_client_address;
    settings
}

/// What to think of strangers and their mail.
pub(super) fn arrival(config: &Config) -> arrival::Settings {
    let (policy, limits) = (&config.policy, &config.limits);
    arrival::Settings {
        hostname: config.hostname.clone(),
        rules: policy.rules.clone(),
        domains: policy.domains.clone(),
        lists: policy.lists.clone(),
        greylist: policy.greylist.clone(),
        trusted_sealers: policy.trusted_sealers.clone(),
        rates: RateRules {
            address: limits.messages_per_hour_and_address,
            network: limits.messages_per_hour_and_network,
            sender: limits.messages_per_hour_and_sender,
        },
        exempt: limits.exempt.clone(),
    }
}

/// The limits that count over sessions. Whoever develops against `dev` is not to be slowed.
pub(super) fn rates(intake: &mut Intake, config: &Config, dev: bool) {
    if dev {
        return;
    }
    let [connections, messages, recipients] = rates_of(&config.limits);
    intake.connection_rate = Some(RateLimiter::new(connections));
    intake.message_rate = Some(RateLimiter::new(messages));
    intake.recipient_rate = Some(RateLimiter::new(recipients));
    intake.harvest_guard = HarvestGuard::new(harvest_rules(&config.limits));
}

/// What [`rates`] set, anew; what was used stays used.
pub(super) fn reload_rates(intake: &Intake, config: &Config) {
    let [connections, messages, recipients] = rates_of(&config.limits);
    intake.connection_rate.iter().for_each(|limiter| limiter.set_rate(connections));
    intake.message_rate.iter().for_each(|limiter| limiter.set_rate(messages));
    intake.recipient_rate.iter().for_each(|limiter| limiter.set_rate(recipients));
    intake.harvest_guard.set_rules(harvest_rules(&config.limits));
}

/// Of connections, messages and recipients. Where there is no limit, one that nobody reaches, so that a reload can set one.
fn rates_of(limits: &config::Limits) -> [Rate; 3] {
    let whole = |limit: Option<u32>| limit.unwrap_or(u32::MAX);
    [
        Rate::per_minute(whole(limits.connections_per_minute)),
        Rate::per_hour(whole(limits.messages_per_hour)),
        Rate::per_hour(whole(limits.recipients_per_hour)),
    ]
}

fn harvest_rules(limits: &config::Limits) -> HarvestRules {
    HarvestRules { exempt: limits.exempt.clone(), ..HarvestRules::default() }
}

pub(super) fn transport(config: &Config, bound: &[Bound]) -> transport::Settings {
    let mut settings = transport::Settings::new(config.hostname.clone());
    settings.own = bound
        .iter()
        .filter_map(|bound| match bound.socket.local() {
            net::Endpoint::Tcp(address) => Some(*address),
            net::Endpoint::Unix(_) => None,
        })
        .collect();
    settings
}

/// The terms of mail to the world.
pub(super) fn terms(config: &Config) -> Arc<Terms> {
    Arc::new(terms_of(&config.delivery, config, None))
}

fn terms_of(
    delivery: &config::Delivery,
    config: &Config,
    credentials: Option<transport::Credentials>,
) -> Terms {
    Terms {
        port: delivery.port,
        tls: match delivery.tls {
            TlsLevel::Unchecked => transport::TlsLevel::Unchecked,
            TlsLevel::Dane => transport::TlsLevel::Dane,
            TlsLevel::Opportunistic => transport::TlsLevel::Opportunistic,
            TlsLevel::Required => transport::TlsLevel::Required,
            TlsLevel::Verified => transport::TlsLevel::Verified,
        },
        source: delivery.source.clone(),
        helo: delivery.helo.as_ref().unwrap_or(&config.hostname).to_string(),
        family: match delivery.family {
            Family::Both => dns::Family::Both,
            Family::Ipv4 => dns::Family::V4,
            Family::Ipv6 => dns::Family::V6,
        },
        credentials,
    }
}

pub(super) fn queue(config: &Config) -> Result<queue::Settings, Failure> {
    let terms = complete_terms(&config.delivery, config)?;
    let otherwise = hop(&config.delivery.to).unwrap_or(Hop::Mx);
    let mut rules = Vec::new();
    for route in &config.routes {
        rules.push(Rule { matches: matches(&route.matches), action: action(&route.delivery, config)? });
    }
    let local = LocalPart::from_value(DSN_SENDER).map_err(|e| Failure::no(e.to_string()))?;
    Ok(queue::Settings {
        hostname: config.hostname.clone(),
        dsn_sender: Address::new(local, config.hostname.clone()),
        rules,
        otherwise,
        terms,
        backoff: backoff(&config.queue),
        window: WindowLimits {
            initial: config.queue.concurrency_initial,
            max: config.queue.concurrency_max,
            ..WindowLimits::default()
        },
        attempts: DEFAULT_ATTEMPTS,
        recipients: DEFAULT_RECIPIENTS,
        rewrite_from: config.policy.rewrite_from.clone(),
    })
}

fn complete_terms(delivery: &config::Delivery, config: &Config) -> Result<Arc<Terms>, Failure> {
    let credentials = match &delivery.credentials {
        None => None,
        Some(credentials) => {
            let line = credentials.read_password().map_err(|e| Failure::no(e.to_string()))?;
            Some(transport::Credentials { user: credentials.username.clone(), proof: proof(line) })
        }
    };
    Ok(Arc::new(terms_of(delivery, config, credentials)))
}

/// A token stands in the file as in the field of HTTP (RFC 6750 §2.1).
fn proof(line: Secret<String>) -> Proof {
    match line.reveal().strip_prefix("Bearer ") {
        Some(token) => Proof::Token(Secret::new(token.trim().to_owned())),
        None => Proof::Password(line),
    }
}

fn action(delivery: &config::Delivery, config: &Config) -> Result<RuleAction, Failure> {
    Ok(match &delivery.to {
        Target::Mailbox => RuleAction::Mailbox,
        Target::Hold => RuleAction::Hold,
        Target::Discard => RuleAction::Discard,
        to => RuleAction::Carry { hop: hop(to).unwrap_or(Hop::Mx), terms: complete_terms(delivery, config)? },
    })
}

fn hop(target: &Target) -> Option<Hop> {
    Some(match target {
        Target::Mx => Hop::Mx,
        Target::Smtp { peer, implicit_tls } => {
            let (host, port, implicit_tls) = (peer.host.clone(), peer.port, *implicit_tls);
            Hop::To(NextHop::Smtp { host, port, implicit_tls })
        }
        Target::Lmtp(peer) => Hop::To(NextHop::Lmtp { host: peer.host.clone(), port: peer.port }),
        Target::LmtpSocket(path) => Hop::To(NextHop::LmtpSocket(path.clone())),
        Target::Mailbox | Target::Hold | Target::Discard => return None,
    })
}

fn matches(pattern: &Match) -> Matches {
    match pattern {
        Match::Domain(pattern) => Matches::Recipient(domain_pattern(pattern)),
        Match::Sender(pattern) => Matches::Sender(match pattern {
            config::SenderPattern::Null => queue::SenderPattern::Null,
            config::SenderPattern::Address(address) => queue::SenderPattern::Address(address.clone()),
            config::SenderPattern::Domain(pattern) => queue::SenderPattern::Domain(domain_pattern(pattern)),
        }),
    }
}

fn domain_pattern(pattern: &config::DomainPattern) -> queue::DomainPattern {
    match pattern {
        config::DomainPattern::Any => queue::DomainPattern::Any,
        config::DomainPattern::Exactly(domain) => queue::DomainPattern::Exactly(domain.clone()),
        config::DomainPattern::Below(domain) => queue::DomainPattern::Below(domain.clone()),
    }
}

fn backoff(queue: &config::Queue) -> Backoff {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Backoff {
        first: milliseconds(queue.first_retry),
        longest: milliseconds(queue.max_retry),
        lifetime: milliseconds(queue.lifetime),
        lifetime_null: milliseconds(queue.lifetime_null),
        delay_notice: queue.delay_notice.map_or(u64::MAX, milliseconds),
        ..Backoff::default()
    }
}
