//! `waypost check config`: what the file says, what is wrong with it, and what is doubtful.

use crate::cli::Global;
use crate::config::{Config, Error, Problem, Route, Service, units};
use crate::exit::{Exit, Failure};
use crate::output::{self, Tone};
use crate::privileges;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What is printed with `--json`.
#[derive(Debug, Default, Serialize)]
struct Report {
    file: Option<PathBuf>,
    ok: bool,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// What the file comes to; empty when it is wrong.
    settings: Vec<Setting>,
}

#[derive(Debug, Serialize)]
struct Setting {
    name: &'static str,
    value: String,
}

pub(super) fn run(global: &Global, json: bool) -> Result<Exit, Failure> {
    let loaded = global.load();
    let config = loaded.as_ref().ok().map(|(_, config)| config.clone());
    let mut report = examine(loaded);
    if let Some(config) = config.filter(|_| report.ok) {
        report.warnings.extend(unreadable_to_user(&config));
    }
    if json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.ok { Exit::Done } else { Exit::No })
}

fn examine(loaded: Result<(PathBuf, Config), Error>) -> Report {
    match loaded {
        Ok((file, config)) => {
            let problems = files_at_fault(&config);
            let warnings = doubts(&config);
            let ok = problems.is_empty();
            Report { file: Some(file), ok, problems, warnings, settings: settings(&config) }
        }
        Err(Error::Invalid { file, problems }) => Report { file: Some(file), problems, ..Report::default() },
        Err(error) => {
            let problem = Problem { line: None, key: String::new(), text: error.to_string() };
            Report { problems: vec![problem], ..Report::default() }
        }
    }
}

fn print(report: &Report) -> Result<(), Failure> {
    let shown = report.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
    if !report.settings.is_empty() {
        let rows = report.settings.iter().map(|setting| [setting.name.to_owned(), setting.value.clone()]);
        output::table(["setting", "value"], rows)?;
        output::line("")?;
    }
    for problem in &report.problems {
        let place = match problem.line {
            Some(line) => format!("{shown}:{line}: "),
            None if shown.is_empty() => String::new(),
            None => format!("{shown}: "),
        };
        output::line(&format!("{} {place}{problem}", output::tinted("wrong:", Tone::Bad)))?;
    }
    for warning in &report.warnings {
        output::line(&format!("{} {warning}", output::tinted("warning:", Tone::Warning)))?;
    }
    if report.ok {
        output::line(&format!("{} {shown}", output::tinted("good:", Tone::Good)))?;
    }
    Ok(())
}

/// The settings in words, each with what it comes to after defaults.
fn settings(config: &Config) -> Vec<Setting> {
    let mut list = Vec::new();
    let mut add = |name, value: String| list.push(Setting { name, value });
    add("hostname", config.hostname.to_string());
    add("data", config.data.display().to_string());
    add("user", config.user.clone().unwrap_or_else(|| "no change of user".to_owned()));
    for listener in &config.listen {
        add("listen", format!("{} at {}", listener.service, listener.endpoint));
    }
    for files in &config.certificates {
        add("certificate", files.certificate.display().to_string());
    }
    if let Some(file) = &config.client_ca {
        add("client-ca", file.display().to_string());
    }
    let networks =
        |list: &[ipnet::IpNet]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !config.relay.trusted.is_empty() {
        add("relay for", networks(&config.relay.trusted));
    }
    add("deliver to", config.delivery.to.to_string());
    config.routes.iter().for_each(|route| add("route", describe(route)));
    add("message size", units::show_size(config.limits.message_size));
    add(
        "log",
        config.log.file.as_deref().map_or_else(|| "standard error".to_owned(), |f| f.display().to_string()),
    );
    list
}

fn describe(route: &Route) -> String {
    use crate::config::Match;
    let to = &route.delivery.to;
    match &route.matches {
        Match::Domain(pattern) => format!("to {pattern}: {to}"),
        Match::Sender(pattern) => format!("from {pattern}: {to}"),
    }
}

/// The files that the configuration names but that cannot be used.
fn files_at_fault(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut note = |key: &str, text: String| problems.push(Problem { line: None, key: key.to_owned(), text });
    let mut files = Vec::new();
    for pair in &config.certificates {
        files.push(("certificate", &pair.certificate, "BEGIN CERTIFICATE"));
        files.push(("key", &pair.key, "PRIVATE KEY"));
    }
    files.extend(config.client_ca.iter().map(|file| ("client-ca", file, "BEGIN CERTIFICATE")));
    for (key, file, mark) in files {
        match std::fs::read_to_string(file) {
            Ok(text) if text.contains(mark) => {}
            Ok(_) => note(key, format!("{} has no PEM block of this kind ({mark})", file.display())),
            Err(error) => note(key, format!("cannot read {}: {error}", file.display())),
        }
    }
    let deliveries =
        std::iter::once(&config.delivery).chain(config.routes.iter().map(|route| &route.delivery));
    let mut seen: Vec<&Path> = Vec::new();
    for credentials in deliveries.filter_map(|delivery| delivery.credentials.as_ref()) {
        if seen.contains(&credentials.password_file.as_path()) {
            continue;
        }
        seen.push(&credentials.password_file);
        if let Err(error) = credentials.read_password() {
            note("password-file", error.to_string());
        }
    }
    problems
}

/// What root can read and the user of the configuration cannot. This process becomes that user for good.
fn unreadable_to_user(config: &Config) -> Vec<String> {
    let Some(user) = config.user.as_deref().filter(|user| privileges::could_become(user)) else {
        return Vec::new();
    };
    if let Err(failure) = privileges::become_user(Some(user)) {
        return vec![failure.message];
    }
    let for_user = |problem: Problem| {
        format!(
            "{problem}, as the user {user}, who must: so `serve` reads it after a renewal, or from the start under systemd"
        )
    };
    files_at_fault(config).into_iter().map(for_user).collect()
}

/// What is allowed but rarely meant.
fn doubts(config: &Config) -> Vec<String> {
    let mut doubts = Vec::new();
    if config.listen.is_empty() {
        doubts.push("[listen] lists nothing, so nothing can connect".to_owned());
    }
    for listener in config
        .listen
        .iter()
        .filter(|listener| !listener.service.is_built() && listener.service != Service::Https)
    {
        doubts.push(format!("listen.{}: this version has no such server", listener.service));
    }
    for network in config.relay.trusted.iter().filter(|network| network.prefix_len() == 0) {
        doubts.push(format!("relay.trusted: {network} is everybody: this is an open relay"));
    }
    for (key, networks) in
        config.listen.iter().flat_map(|l| [("proxy-from", &l.proxy_from), ("xclient-from", &l.xclient_from)])
    {
        if networks.iter().any(|network| network.prefix_len() == 0) {
            doubts.push(format!("listen.{key}: everybody may claim to be anybody"));
        }
    }
    if config.limits.recipients < 100 {
        doubts.push("limits.recipients: fewer than 100, which RFC 5321 §4.5.3.1.8 asks for".to_owned());
    }
    if config.limits.message_size < 64 << 10 {
        doubts.push("limits.message-size: less than 64 KiB, which RFC 5321 §4.5.3.1.7 asks for".to_owned());
    }
    if config.limits.memory < config.limits.message_size {
        doubts.push("limits.memory: less than message-size, so that one message takes it all".to_owned());
    }
    doubts.dedup();
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, files: &[(&str, &str)]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files.iter().chain([&("waypost.toml", text)]) {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        examine(Config::load(Some(&folder.path().join("waypost.toml"))))
    }

    #[test]
    fn a_good_file_is_explained() {
        let report = report("hostname = 'mail.example.org'", &[]);
        assert!(report.ok && report.problems.is_empty() && report.warnings.is_empty(), "{report:?}");
        assert!(report.settings.iter().any(|s| s.name == "hostname" && s.value == "mail.example.org"));
        assert!(report.settings.iter().any(|s| s.value == "smtp at [::]:25"));
    }

    #[test]
    fn a_wrong_file_is_told_apart_from_a_missing_one() {
        let wrong = report("hostnam = 'x'", &[]);
        assert!(!wrong.ok && wrong.file.is_some() && wrong.problems[0].line == Some(1), "{wrong:?}");
        let missing = examine(Err(Error::NotFound(vec!["a".into()])));
        assert!(!missing.ok && missing.file.is_none() && missing.problems[0].text.contains("--config"));
    }

    #[test]
    fn files_that_it_names_must_be_usable() {
        let text = "hostname = 'h'\n[tls]\ncertificate = 'c'\nkey = 'k'\n[delivery]\nsmarthost = 'smtp://a.example'\nusername = 'u'\npassword-file = 'p'";
        let all = report(text, &[]);
        assert_eq!(
            all.problems.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(),
            ["certificate", "key", "password-file"]
        );
        let pem = |kind: &str| format!("-----BEGIN {kind}-----\n");
        let (certificate, key) = (pem("CERTIFICATE"), pem("PRIVATE KEY"));
        assert!(report(text, &[("c", &certificate), ("k", &key), ("p", "secret\n")]).ok);
        assert!(!report(text, &[("c", &key), ("k", &key), ("p", "secret\n")]).ok);
        assert!(!report(text, &[("c", &certificate), ("k", &key), ("p", "\n")]).ok);
    }

    #[test]
    fn doubtful_settings_are_warned_about() {
        for (text, expected) in [
            ("[listen]", "nothing can connect"),
            ("[listen]\nmanagesieve = ['[::]:4190']", "listen.managesieve: this version"),
            ("[listen]\nsmtp = ['[::]:25']\nxclient-from = ['::/0']", "listen.xclient-from: everybody"),
            ("[relay]\ntrusted = ['0.0.0.0/0']", "open relay"),
            ("[limits]\nrecipients = 3", "100"),
            ("[limits]\nmessage-size = '1 KiB'", "64 KiB"),
            ("[limits]\nmemory = '1 KiB'", "limits.memory"),
        ] {
            let report = report(&format!("hostname = 'h'\n{text}"), &[]);
            assert!(report.ok && report.warnings.iter().any(|w| w.contains(expected)), "{text}: {report:?}");
        }
    }
}
