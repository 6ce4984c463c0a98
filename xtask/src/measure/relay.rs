//! Relaying beside Postfix, and beside the generator straight into its sink, by the peers' script `relay-bench`: smtp-source,
//! the server, smtp-sink, and the CPU that the server and all its processes spent on a message.

use super::figure::{Figure, median};
use super::{Context, Findings};
use crate::Error;
use serde::Deserialize;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

const MESSAGES: u64 = 6_000;

/// What Waypost is configured with: the standard, but for the limits that a load generator would meet. The script chooses
/// other ports each time.
const CONFIGURATION: &str = "\
hostname = \"bench.example\"
data = \"data\"
[listen]
smtp = [\"127.0.0.1:@PORT\"]
[relay]
trusted = [\"127.0.0.0/8\"]
[delivery]
smarthost = \"smtp://127.0.0.1:@SINK\"
[limits]
exempt = [\"127.0.0.0/8\"]
messages-per-session = 0
";

/// Starts Waypost: a line of the shell, which has DIR, PORT and SINK from the script, and the rest from [`run_script`].
const START: &str = "waypost=\
printf %s \"$CONFIGURATION\" | sed \"s/@PORT/$PORT/; s/@SINK/$SINK/\" > \"$DIR/waypost.toml\" && \
exec \"$PROGRAM\" serve --config \"$DIR/waypost.toml\"";

/// A way to use connections, and what is wanted of it.
struct Form {
    name: &'static str,
    keep: bool,
    /// CPU a message, in Postfix's, at most.
    cpu: f64,
    /// Delivered, in what the generator reaches straight into its sink, at least.
    delivered: f64,
}

const FORMS: [Form; 2] = [
    Form { name: "new", keep: false, cpu: 0.10, delivered: 0.4 },
    Form { name: "kept", keep: true, cpu: 0.08, delivered: 0.25 },
];

pub(super) fn run(context: &Context<'_>) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    for form in &FORMS {
        findings.figures.extend(figures(form, &run_script(context, form)?));
    }
    Ok(findings)
}

/// A line of the script: what one server did in one round. Its last lines, which compare, have no `messages`.
#[derive(Debug, Deserialize)]
struct Line {
    server: String,
    messages: Option<u64>,
    error: Option<String>,
    accepted_per_s: Option<f64>,
    delivered_per_s: Option<f64>,
    cpu_us_per_msg: Option<f64>,
    peak_pss_mib: Option<f64>,
}

fn run_script(context: &Context<'_>, form: &Form) -> Result<Vec<Line>, Error> {
    let script = context.peers.join("relay-bench");
    let mut command = Command::new(&script);
    command.args(["--messages", &context.messages(MESSAGES).to_string()]);
    command.args(["--rounds", &context.rounds.to_string()]);
    command.args(form.keep.then_some("--keep")).args(["none", "postfix", START]);
    command.env("CONFIGURATION", CONFIGURATION).env("PROGRAM", context.program);
    let missing = |error| Error::Stuck(format!("{}: {error}; say where with --peers", script.display()));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(missing)?;
    let mut lines = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        context.tell(format!("{}: none, round 1 of {}", form.name, context.rounds));
        for text in BufReader::new(stdout).lines() {
            let line = read(&text?)?;
            context.tell(format!("{}: {} done, {} rounds", form.name, line.server, context.rounds));
            lines.push(line);
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(lines) } else { Err(Error::Stuck(format!("relay-bench: {status}"))) }
}

fn read(text: &str) -> Result<Line, Error> {
    let no_report = |error| Error::NoReport { program: "relay-bench".to_owned(), error };
    let line: Line = serde_json::from_str(text).map_err(no_report)?;
    match &line.error {
        Some(error) => Err(Error::Stuck(format!("{}: {error}", line.server))),
        None => Ok(line),
    }
}

fn figures(form: &Form, lines: &[Line]) -> Vec<Figure> {
    let of = |server: &str, pick: fn(&Line) -> Option<f64>| {
        let rounds = lines.iter().filter(|line| line.messages.is_some() && line.server == server);
        median(rounds.filter_map(pick))
    };
    let Form { name, .. } = form;
    let mut figures = Vec::new();
    for server in ["waypost", "postfix", "none"] {
        let accepted = of(server, |line| line.accepted_per_s);
        figures.push(Figure::new(format!("{name}_accepted_{server}"), accepted, "messages/s"));
        let delivered = of(server, |line| line.delivered_per_s);
        figures.push(Figure::new(format!("{name}_delivered_{server}"), delivered, "messages/s"));
    }
    for server in ["waypost", "postfix"] {
        let cpu = of(server, |line| line.cpu_us_per_msg);
        figures.push(Figure::new(format!("{name}_cpu_{server}"), cpu, "µs a message"));
        let memory = of(server, |line| line.peak_pss_mib);
        figures.push(Figure::new(format!("{name}_highest_pss_{server}"), memory, "MiB"));
    }
    let ratio = |beside: &str, pick: fn(&Line) -> Option<f64>| of("waypost", pick) / of(beside, pick);
    let cpu = ratio("postfix", |line| line.cpu_us_per_msg);
    let delivered = |beside| ratio(beside, |line| line.delivered_per_s);
    figures.extend([
        Figure::new(format!("{name}_cpu_vs_postfix"), cpu, "times").at_most(form.cpu),
        Figure::new(format!("{name}_delivered_vs_none"), delivered("none"), "times").at_least(form.delivered),
        Figure::new(format!("{name}_delivered_vs_postfix"), delivered("postfix"), "times"),
    ]);
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the script prints, some of its fields left out.
    const PRINTED: [&str; 5] = [
        r#"{"server": "none", "messages": 40000, "kept": false, "accepted_per_s": 8000, "delivered_per_s": 8000}"#,
        r#"{"server": "postfix", "messages": 10, "accepted_per_s": 500, "delivered_per_s": 400, "cpu_us_per_msg": 3000}"#,
        r#"{"server": "waypost", "messages": 10, "accepted_per_s": 5000, "delivered_per_s": 3200, "cpu_us_per_msg": 300}"#,
        r#"{"server": "none", "median_of": 1, "delivered_vs_postfix": 20.0}"#,
        r#"{"server": "waypost", "median_of": 1, "delivered_vs_postfix": 8.0, "cpu_vs_postfix": 0.1}"#,
    ];

    #[test]
    fn what_the_script_prints_is_held_against_the_targets() {
        let lines: Vec<Line> = PRINTED.iter().map(|text| read(text).unwrap()).collect();
        let found = |form| {
            let figures = figures(form, &lines);
            let named = figures.into_iter().filter(|figure| figure.name.contains("_vs_"));
            named.map(|figure| (figure.name, figure.value, figure.reached)).collect::<Vec<_>>()
        };
        let expected = |form: &str, cpu, delivered| {
            [
                (format!("{form}_cpu_vs_postfix"), 0.1, Some(cpu)),
                (format!("{form}_delivered_vs_none"), 0.4, Some(delivered)),
                (format!("{form}_delivered_vs_postfix"), 8.0, None),
            ]
        };
        assert_eq!(found(&FORMS[0]), expected("new", true, true));
        assert_eq!(found(&FORMS[1]), expected("kept", false, true));
    }

    #[test]
    fn a_server_that_failed_is_an_error() {
        let text = r#"{"server": "postfix", "messages": 10, "error": "no 220 within 20 s"}"#;
        assert_eq!(read(text).unwrap_err().to_string(), "postfix: no 220 within 20 s");
    }
}
