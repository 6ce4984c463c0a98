//! The command line as people and programs write it.

use super::*;
use clap::CommandFactory as _;

fn parse(words: &str) -> Result<Cli, clap::Error> {
    Cli::parse_words(split(words))
}

/// Splits as a shell does with single quotes, up to a pipe or redirection.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, any) = (!quoted, true),
            '|' | '<' | '>' if !quoted => break,
            c if c.is_whitespace() && !quoted => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => {
                word.push(c);
                any = true;
            }
        }
    }
    if any {
        words.push(word);
    }
    words
}

/// Every command and, below it, every verb, with the words that lead to it.
fn all_commands() -> Vec<(String, clap::Command)> {
    fn below(path: &str, command: &clap::Command, into: &mut Vec<(String, clap::Command)>) {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let path = format!("{path} {}", sub.get_name());
            below(&path, sub, into);
            into.push((path, sub.clone()));
        }
    }
    let mut all = vec![("waypost".to_owned(), Cli::command())];
    below("waypost", &Cli::command(), &mut all);
    all
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_help_has_an_example_and_every_example_parses() {
    for (path, command) in all_commands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = help.lines().filter(|line| line.starts_with("  waypost ")).collect();
        assert!(!examples.is_empty(), "{path} --help has no example");
        for example in examples {
            // Two spaces or more begin a remark.
            let line = example.trim().split("   ").next().unwrap_or_default();
            let cli = parse(line).unwrap_or_else(|error| panic!("{path} --help: {line}\n{error}"));
            if let Command::Sendmail(args) = cli.command {
                sendmail::Invocation::parse(&args.words).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
        assert!(command.get_about().is_some(), "{path} has no description");
        let error = parse(&format!("{path} --help")).expect_err(&path);
        assert_eq!(error.exit_code(), 0, "{path} --help");
    }
}

#[test]
fn the_commands_are_those_of_the_contract() {
    let names: Vec<String> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    assert_eq!(
        names,
        [
            "dev",
            "quickstart",
            "serve",
            "send",
            "sendmail",
            "mail",
            "queue",
            "trail",
            "domain",
            "account",
            "alias",
            "check",
            "decode",
            "sign",
            "import",
            "export",
            "backup",
            "restore",
            "bench",
            "completions"
        ]
    );
}

#[test]
fn lines_of_the_contract_parse() {
    for line in [
        "waypost --version",
        "waypost serve --config x.toml",
        "waypost --config x.toml serve",
        "waypost queue --config x.toml list",
        "waypost queue list --config x.toml --json",
        "waypost --config x.toml check config --json",
        "waypost check --dns 127.0.0.1:5353 delivery a@example.org",
        "waypost check delivery a@example.org --dns 127.0.0.1 --json",
        "waypost check relay [::1]:2525",
        "waypost import maildir d --account a@example.org --folder Old --rename A=B --rename C=D --exclude E --dry-run --json",
        "waypost import mbox f g --account a@example.org",
        "waypost import imap --server imaps://h --user u --password-stdin --account a@example.org --dry-run --json",
        "waypost import imap --csv f --jobs 8 --insecure --dns 127.0.0.1",
        "waypost export maildir d --account a@example.org --folder A --folder B --json",
        "waypost export mbox d --account a@example.org",
        "waypost check tls 192.0.2.1",
        "waypost check dns example.org --selector a --selector b --dns 127.0.0.1:5353 --json",
        "waypost dev --dir d --port-offset 100",
        "waypost quickstart you@example.org --dir d",
        "waypost send --from a@example.org --to b@example.org --to c@example.org --cc d@example.org --subject s --body b --attach f --attach g",
        "waypost send --raw - --from <> --to postmaster --server unix:/run/l --trace --quit-after RCPT --interactive",
        "waypost send --to a@example.org --server smtps://h --auth u --password-stdin --mechanism SCRAM-SHA-256 --tls smtps --helo h",
        "waypost send --to a@example.org --notify SUCCESS,FAILURE --ret hdrs --envid x --count 3 --dns 127.0.0.1",
        "waypost mail list --server 127.0.0.1:1110 --user dev@localhost --password-stdin --json",
        "waypost mail --user dev@localhost list --folder Junk",
        "waypost mail list --account dev@localhost",
        "waypost queue retry 7 8",
        "waypost queue hold --domain example.org --older-than 4h",
        "waypost queue release --all",
        "waypost queue bounce --sender a@example.org",
        "waypost queue drop 7",
        "waypost trail 7",
        "waypost domain add example.org --relay-to mx --recipients list.txt",
        "waypost domain add example.org --alias-of example.net",
        "waypost account add a@example.org --password-stdin",
        "waypost account app-password a@example.org",
        "waypost account certificate add a@example.org --file c.pem",
        "waypost account certificate list a@example.org --json",
        "waypost account disable a@example.org",
        "waypost alias add @example.org a@example.org b@example.net",
        "waypost bench --server 127.0.0.1:1025 --connections 5 --messages 10 --rate 3 --size 4096 --recipients 2 --tls none --auth u --keep --json",
        "waypost bench sink --listen 127.0.0.1:0",
        "waypost decode f --keylog k --save d --port 25 --port 26 --address 192.0.2.1 --address 2001:db8::/32 --show-secrets --json",
        "waypost completions zsh",
    ] {
        // The brackets of `<>` are quotes' business in a shell.
        let words: Vec<&str> = line.split_whitespace().collect();
        match Cli::parse_words(words) {
            Ok(_) => {}
            Err(error) if error.exit_code() == 0 => {}
            Err(error) => panic!("{line}\n{error}"),
        }
    }
}

#[test]
fn wrong_usage_is_status_2() {
    for line in [
        "waypost",
        "waypost frobnicate",
        "waypost serve --json",
        "waypost send",
        "waypost send --to a@example.org --password secret",
        "waypost send --to a@example.org --mechanism plain",
        "waypost send --to a@b@c..d",
        "waypost send --to a@example.org --raw f --subject s",
        "waypost send --to a@example.org --count 0",
        "waypost send --to a@example.org --header nonsense",
        "waypost dev --port-offset 60000",
        "waypost quickstart you",
        "waypost queue retry",
        "waypost queue drop --yes",
        "waypost queue retry 7 --all",
        "waypost queue retry --all --domain example.org",
        "waypost domain add example.org --relay-to mx --alias-of example.net",
        "waypost domain add example.org --recipients verify",
        "waypost domain add example.org --relay-to mail.example.org",
        "waypost account certificate add a@example.org",
        "waypost account certificate add a@example.org --fingerprint 00:11",
        "waypost account quota a@example.org lots",
        "waypost alias add a@example.org",
        "waypost bench",
        "waypost bench --server a --connections 0",
        "waypost check",
        "waypost check delivery a@example.org --dns dns.example.org",
        "waypost trail",
        "waypost completions csh-93",
        "waypost decode",
        "waypost decode f --address mx.example.org",
        "waypost decode f --port 0",
    ] {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn config_stands_before_or_after() {
    for line in
        ["waypost --config x queue list", "waypost queue --config x list", "waypost queue list --config=x"]
    {
        assert_eq!(parse(line).unwrap().global.config.as_deref(), Some(Path::new("x")), "{line}");
    }
}

#[test]
fn called_as_sendmail_it_is_sendmail() {
    for (line, expected) in [
        ("/usr/sbin/sendmail -t -i", &["-t", "-i"][..]),
        ("sendmail -fme you@example.org", &["-fme", "you@example.org"]),
        ("sendmail -h 7 -V id you", &["-h", "7", "-V", "id", "you"]),
        ("/usr/bin/mailq", &["-bp"]),
        ("newaliases", &["-bi"]),
        ("waypost sendmail -i -- you", &["-i", "--", "you"]),
        ("waypost sendmail you -t", &["you", "-t"]),
    ] {
        let Ok(Cli { command: Command::Sendmail(args), .. }) = parse(line) else { panic!("{line}") };
        assert_eq!(args.words, expected, "{line}");
    }
}

#[test]
fn queue_commands_that_change_need_to_be_told_what() {
    let Command::Queue(args) =
        parse("waypost queue retry --domain example.org --state held").unwrap().command
    else {
        panic!()
    };
    let Some(queue::Verb::Retry(selection)) = args.verb else { panic!() };
    assert!(!selection.filter.is_empty() && selection.ids.is_empty() && !selection.all);
}

#[test]
fn send_lists_are_checked() {
    for (line, good) in [
        ("waypost send --to a@x.example --notify never", true),
        ("waypost send --to a@x.example --notify never,delay", false),
        ("waypost send --to a@x.example --envid ''", false),
        ("waypost send --to a@x.example --envid é", false),
    ] {
        let Command::Send(args) = parse(line).unwrap().command else { panic!() };
        assert_eq!(args.check().is_ok(), good, "{line}");
    }
}

#[test]
fn servers_are_named_in_many_ways() {
    use values::Server;
    for (text, peer, lmtp, tls) in [
        ("mail.example.org", Some("mail.example.org:587"), false, false),
        ("mail.example.org:465", Some("mail.example.org:465"), false, true),
        ("[::1]:2525", Some("[::1]:2525"), false, false),
        ("smtps://a.example", Some("a.example:465"), false, true),
        ("lmtp://127.0.0.1:2424", Some("127.0.0.1:2424"), true, false),
        ("unix:/run/l", None, true, false),
    ] {
        let server: Server = text.parse().unwrap();
        let shown = server.peer(587).map(|peer| peer.to_string());
        assert_eq!((shown.as_deref(), server.is_lmtp(), server.implicit_tls()), (peer, lmtp, tls), "{text}");
    }
    assert!(
        "".parse::<Server>().is_err()
            && "a:0".parse::<Server>().is_err()
            && "http://a".parse::<Server>().is_err()
    );
}

/// What docs/postfix.md sends people to must be there: keys written `table.key`, commands by their first words.
#[test]
fn coming_from_postfix_names_what_is_there() {
    let text = include_str!("../../../../docs/postfix.md");
    let answers = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1));
    let spans = answers.flat_map(|answer| answer.split('`').skip(1).step_by(2));
    let tables: Vec<&str> = crate::config::reference::TABLES.iter().map(|table| table.name).collect();
    let (mut keys, mut commands) = (0, 0);
    for span in spans {
        let name = span.split([' ', '=']).next().unwrap_or_default();
        if name.split_once('.').is_some_and(|(table, _)| tables.contains(&table)) {
            assert!(crate::config::reference::is_known(name), "docs/postfix.md: no key {name}");
            keys += 1;
            continue;
        }
        let mut words = span.split(' ');
        let Some(command) = Cli::command().find_subcommand(words.next().unwrap_or_default()).cloned() else {
            continue;
        };
        commands += 1;
        if let Some(verb) = words.next().filter(|verb| verb.starts_with(|c: char| c.is_ascii_lowercase())) {
            let known = !command.has_subcommands() || command.find_subcommand(verb).is_some();
            assert!(known, "docs/postfix.md: no command {span}");
        }
    }
    assert!(
        keys > 40 && commands > 30,
        "{keys} keys and {commands} commands were found: has the format changed?"
    );
}
