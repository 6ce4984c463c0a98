//! `waypost sendmail`: a drop-in for `/usr/sbin/sendmail`, with the options that Postfix's takes.
//!
//! Its options are older than any convention: they are joined (`-ti`), carry values with or without a space
//! (`-fme`, `-f me`), or a mode in their second letter (`-bp`, `-oem`). So the words come from clap unread, and
//! [`Invocation::parse`] reads them.

mod input;
mod queue;
mod submit;

use crate::cli::Global;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use std::ffi::OsString;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Options, as Postfix's sendmail has them:
  -t             take recipients from To, Cc and Bcc
  -i, -oi        a line with a single dot does not end the message
  -f, -r ADDRESS the envelope's sender
  -F NAME        the full name, for a From that is missing
  -N WHEN        notifications: never, or success, failure, delay
  -R WHAT        what they return: full or hdrs
  -V ID          an identifier they repeat
  -B TYPE        7BIT or 8BITMIME
  -bm            take a message from standard input (as without)
  -bs            speak SMTP on standard input and output
  -bp            print the queue (as mailq)
  -bi, -I        nothing to do: aliases are data (as newaliases)
  -q             try everything in the queue again; -qI ID one message, -qR DOMAIN one destination
  -v             tell what is done
  -A -C -G -h -L -m -n -o -O -p -U -X  are accepted and mean nothing here

Examples:
  waypost sendmail -t -i < message.eml
  waypost sendmail -f me@example.org you@example.org < message.eml
  waypost sendmail -bp";

/// Submit a message as /usr/sbin/sendmail does
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct Args {
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Options and recipients
    #[arg(value_name = "WORDS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// Carries it out. Programs that call this try again on 75, so that it is the answer to whatever an administrator can
/// put right.
pub fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let invocation = Invocation::parse(&args.words).map_err(Failure::usage)?;
    if invocation.mode == Mode::InitAliases {
        return Ok(Exit::Done);
    }
    let named = invocation.config.clone().or_else(|| global.config.clone());
    let global = Global { config: named };
    let config = || -> Result<Config, Failure> {
        let loaded = global.load().map_err(|error| Failure::try_again(error.to_string()))?;
        Ok(loaded.1)
    };
    match &invocation.mode {
        Mode::Deliver => submit::deliver(&config()?, &invocation),
        Mode::Smtp => submit::converse(&config()?),
        Mode::PrintQueue => queue::print(&global),
        Mode::Flush(flush) => queue::flush(&global, flush),
        Mode::InitAliases => Ok(Exit::Done),
    }
}

/// What the words mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    pub mode: Mode,
    /// `-f`: as it was written; `<>` and the empty string are the null sender.
    pub sender: Option<String>,
    /// `-F`.
    pub full_name: Option<String>,
    /// `-t`.
    pub recipients_from_header: bool,
    /// `-i`: a line with a single dot is part of the message.
    pub ignore_dot: bool,
    pub notify: Option<Notify>,
    pub ret: Option<Ret>,
    pub envid: Option<String>,
    /// `-B 8BITMIME`; the message itself decides when it is not given.
    pub body: Option<Body>,
    pub verbose: bool,
    pub recipients: Vec<String>,
    /// `--config` among the words.
    pub config: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mode {
    /// Take a message from standard input.
    #[default]
    Deliver,
    /// Speak SMTP on standard input and output.
    Smtp,
    PrintQueue,
    /// Nothing to do.
    InitAliases,
    Flush(Flush),
}

/// What is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flush {
    All,
    Message(String),
    Site(String),
}

/// `-N` (RFC 3461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    Never,
    On { success: bool, failure: bool, delay: bool },
}

/// `-R` (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    Full,
    Hdrs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    SevenBit,
    EightBitMime,
}

/// Options that have a value, in the same word or the next.
const VALUED: &str = "ABCFNORVXbfhLopr";
/// Options that stand alone.
const ALONE: &str = "GIUimntv";

impl Invocation {
    /// Reads the words after `sendmail`. The error says which is wrong.
    pub fn parse(words: &[OsString]) -> Result<Self, String> {
        let mut invocation = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let word = text(word)?;
            match word.strip_prefix('-') {
                Some("-") => {
                    for recipient in words.by_ref() {
                        invocation.recipients.push(text(recipient)?.to_owned());
                    }
                }
                Some(long) if long.starts_with('-') => invocation.long(long, &mut words)?,
                Some(letters) if !letters.is_empty() => invocation.letters(letters, &mut words)?,
                _ => invocation.recipients.push(word.to_owned()),
            }
        }
        invocation.check()
    }

    fn check(self) -> Result<Self, String> {
        let delivers = self.mode == Mode::Deliver;
        if delivers && self.recipients.is_empty() && !self.recipients_from_header {
            return Err("no recipient: name one, or take them from the header with -t".to_owned());
        }
        if !delivers && !self.recipients.is_empty() {
            return Err(format!("{:?} is a recipient, but no message is being sent", self.recipients[0]));
        }
        Ok(self)
    }

    fn long<'w>(&mut self, word: &str, rest: &mut impl Iterator<Item = &'w OsString>) -> Result<(), String> {
        self.config = match word.strip_prefix("-config=") {
            Some(file) => Some(file.into()),
            None if word == "-config" => Some(rest.next().ok_or("--config needs a file")?.into()),
            None => return Err(format!("unknown option -{word}")),
        };
        Ok(())
    }

    /// One word of joined options, such as `ti` or `fme@example.org`.
    fn letters<'w>(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = &'w OsString>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let attached = &letters[at + letter.len_utf8()..];
            if letter == 'q' {
                return self.flush(attached, rest);
            }
            if VALUED.contains(letter) {
                let value = match attached {
                    "" => text(rest.next().ok_or_else(|| format!("-{letter} needs a value"))?)?,
                    attached => attached,
                };
                return self.valued(letter, value);
            }
            if !ALONE.contains(letter) {
                return Err(format!("unknown option -{letter}"));
            }
            self.alone(letter);
        }
        Ok(())
    }

    fn alone(&mut self, letter: char) {
        match letter {
            't' => self.recipients_from_header = true,
            'i' => self.ignore_dot = true,
            'v' => self.verbose = true,
            'I' => self.mode = Mode::InitAliases,
            // -G -U -m -n: of sendmail's own making, and without meaning here.
            _ => {}
        }
    }

    fn valued(&mut self, letter: char, value: &str) -> Result<(), String> {
        match letter {
            'f' | 'r' => self.sender = Some(value.to_owned()),
            'F' => self.full_name = Some(value.to_owned()),
            'N' => self.notify = Some(parse_notify(value)?),
            'R' => self.ret = Some(parse_ret(value)?),
            // Postfix's -V with + is VERP, which is not here: better said than done otherwise.
            'V' if value.starts_with('+') => {
                return Err("-V with VERP is not supported: use -V ID".to_owned());
            }
            'V' => self.envid = Some(value.to_owned()),
            'B' => self.body = Some(parse_body(value)?),
            'b' => self.mode = parse_mode(value)?,
            // Of all of sendmail's -o options only -oi changes anything here, as in Postfix.
            'o' if value == "i" => self.ignore_dot = true,
            _ => {}
        }
        Ok(())
    }

    /// `-q`, `-qI ID`, `-qR SITE`; with a time it would make a daemon, which `serve` is.
    fn flush<'w>(
        &mut self,
        attached: &str,
        rest: &mut impl Iterator<Item = &'w OsString>,
    ) -> Result<(), String> {
        let mut value = |attached: &str| match attached {
            "" => Ok(text(rest.next().ok_or("-qI and -qR need a value")?)?.to_owned()),
            attached => Ok::<_, String>(attached.to_owned()),
        };
        let flush = match attached.chars().next() {
            None => Flush::All,
            Some('I') => Flush::Message(value(&attached[1..])?),
            Some('R') => Flush::Site(value(&attached[1..])?),
            Some(_) => {
                return Err(format!(
                    "-q{attached} is not supported: `waypost serve` empties the queue by itself"
                ));
            }
        };
        self.mode = Mode::Flush(flush);
        Ok(())
    }
}

fn text(word: &OsString) -> Result<&str, String> {
    word.to_str().ok_or_else(|| format!("{word:?} is not UTF-8"))
}

fn parse_mode(value: &str) -> Result<Mode, String> {
    match value {
        "m" => Ok(Mode::Deliver),
        "s" => Ok(Mode::Smtp),
        "p" => Ok(Mode::PrintQueue),
        "i" => Ok(Mode::InitAliases),
        "d" | "l" => Err(format!("-b{value} is not supported: run `waypost serve`")),
        "v" => Err("-bv is not supported: use `waypost check delivery ADDRESS`".to_owned()),
        _ => Err(format!("unknown mode -b{value}")),
    }
}

fn parse_notify(value: &str) -> Result<Notify, String> {
    if value.eq_ignore_ascii_case("never") {
        return Ok(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in value.split(',') {
        match word.trim().to_ascii_lowercase().as_str() {
            "success" => success = true,
            "failure" => failure = true,
            "delay" => delay = true,
            _ => return Err(format!("-N {value}: write never, or some of success,failure,delay")),
        }
    }
    Ok(Notify::On { success, failure, delay })
}

fn parse_ret(value: &str) -> Result<Ret, String> {
    match value.to_ascii_lowercase().as_str() {
        "full" => Ok(Ret::Full),
        "hdrs" => Ok(Ret::Hdrs),
        _ => Err(format!("-R {value}: write full or hdrs")),
    }
}

fn parse_body(value: &str) -> Result<Body, String> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(Body::SevenBit),
        "8BITMIME" => Ok(Body::EightBitMime),
        _ => Err(format!("-B {value}: write 7BIT or 8BITMIME")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: Result<Invocation, &str>) {
        let list: Vec<OsString> = words.split_whitespace().map(Into::into).collect();
        match (Invocation::parse(&list), expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{words}"),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{words}: {got}"),
            (got, expected) => panic!("{words}: {got:?}, expected {expected:?}"),
        }
    }

    fn to(recipient: &str) -> Invocation {
        Invocation { recipients: vec![recipient.to_owned()], ..Invocation::default() }
    }

    fn mode(mode: Mode) -> Invocation {
        Invocation { mode, ..Invocation::default() }
    }

    #[test]
    fn what_programs_call_it_with() {
        let header =
            || Invocation { recipients_from_header: true, ignore_dot: true, ..Invocation::default() };
        check("-t -i", Ok(header()));
        check("-ti", Ok(header()));
        check("-oi -t", Ok(header()));
        check("-t -i -fme@example.org", Ok(Invocation { sender: Some("me@example.org".into()), ..header() }));
        // cron of Debian, of Vixie, git send-email, mutt
        let cron = Invocation { full_name: Some("CronDaemon".into()), ignore_dot: true, ..to("root") };
        check("-FCronDaemon -i -odi -oem -oi root", Ok(cron.clone()));
        check(
            "-i -FCronDaemon -B8BITMIME -oem root",
            Ok(Invocation { body: Some(Body::EightBitMime), ..cron }),
        );
        let both = Invocation {
            recipients: vec!["a@x.example".into(), "b@x.example".into()],
            ..Invocation::default()
        };
        check("-i a@x.example b@x.example", Ok(Invocation { ignore_dot: true, ..both.clone() }));
        check(
            "-oem -oi -f me -- -a@x.example",
            Ok(Invocation { ignore_dot: true, sender: Some("me".into()), ..to("-a@x.example") }),
        );
        check("a@x.example -bm b@x.example", Ok(both));
    }

    #[test]
    fn notifications() {
        let on = Notify::On { success: true, failure: false, delay: true };
        check("-N success,delay a", Ok(Invocation { notify: Some(on), ..to("a") }));
        check(
            "-NNEVER -Rhdrs -Vid7 a",
            Ok(Invocation {
                notify: Some(Notify::Never),
                ret: Some(Ret::Hdrs),
                envid: Some("id7".into()),
                ..to("a")
            }),
        );
        check("-R full a", Ok(Invocation { ret: Some(Ret::Full), ..to("a") }));
        check("-N never,delay a", Err("-N never,delay"));
        check("-R half a", Err("full or hdrs"));
        check("-V+= a", Err("VERP"));
    }

    #[test]
    fn modes() {
        check("-bs", Ok(mode(Mode::Smtp)));
        check("-bp", Ok(mode(Mode::PrintQueue)));
        check("-b p", Ok(mode(Mode::PrintQueue)));
        check("-bi", Ok(mode(Mode::InitAliases)));
        check("-I", Ok(mode(Mode::InitAliases)));
        check("-q", Ok(mode(Mode::Flush(Flush::All))));
        check("-qI77", Ok(mode(Mode::Flush(Flush::Message("77".into())))));
        check("-qR example.org", Ok(mode(Mode::Flush(Flush::Site("example.org".into())))));
        check("-q30m", Err("waypost serve"));
        check("-bd", Err("waypost serve"));
        check("-bv a", Err("check delivery"));
        check("-bz", Err("unknown mode -bz"));
        check("-bp a", Err("\"a\" is a recipient"));
    }

    #[test]
    fn what_means_nothing_is_accepted() {
        check("-Am -C /etc/x -G -h 7 -L tag -m -n -o7 -O a=b -p x -U -X log a", Ok(to("a")));
        check("-oA/etc/aliases -om -odb -oQ/x a", Ok(to("a")));
        check("-v a", Ok(Invocation { verbose: true, ..to("a") }));
    }

    #[test]
    fn wrong_words() {
        check("", Err("no recipient"));
        check("-f", Err("-f needs a value"));
        check("-y a", Err("unknown option -y"));
        check("-é a", Err("unknown option"));
        check("--nonsense a", Err("unknown option --nonsense"));
        check("-B 9BIT a", Err("7BIT or 8BITMIME"));
        check("-qI", Err("need a value"));
    }

    #[test]
    fn the_configuration_may_be_named_anywhere() {
        for words in ["--config x.toml a", "a --config=x.toml", "-t --config x.toml a"] {
            let list: Vec<OsString> = words.split_whitespace().map(Into::into).collect();
            assert_eq!(Invocation::parse(&list).unwrap().config, Some("x.toml".into()), "{words}");
        }
    }
}
