//! `waypost sign`: puts a DKIM signature, and an ARC set if asked, in front of a message.

use super::message_file::{self, LINE_ENDS, MessageFile};
use crate::cli::Global;
use crate::client;
use crate::exit::{Exit, Failure};
use address::Domain;
use mailauth::arc::Sealer;
use mailauth::dkim::{BodyHasher, Canonicalization, Form, Selector, Signer, SigningKey};
use mailauth::results::{self, AuthResults};
use mailauth::{Signatures, arc};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use store::clock;

fn help() -> String {
    format!(
        "\
The message comes from standard input; it goes to standard output with the new field in front, and no other octet is changed. \
The key is unencrypted PKCS#8 PEM, RSA of 1024 to 4096 bits or Ed25519, as `openssl genpkey` makes it.

{LINE_ENDS} The new field has the line ends of the message.

With --arc the message is sealed too (RFC 8617), with the same key: a set of three fields, in front of the signature. The set \
says what the message's Authentication-Results of that name say; without such fields, the message's DKIM signatures and its \
chain are checked now. Whoever forwards mail seals; who only writes it does not need to.

Examples:
  openssl genpkey -algorithm ed25519 -out key.pem
  waypost sign --key key.pem --domain example.org --selector s1 < message.eml > signed.eml
  waypost sign --key key.pem --domain example.org --selector s1 --arc mx.example.org < message.eml > sealed.eml"
    )
}

/// Sign a message with DKIM, and seal it with ARC
#[derive(Debug, clap::Args)]
#[command(after_help = help())]
pub struct Args {
    /// The private key: PKCS#8 PEM, RSA or Ed25519
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The domain that signs (d=)
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Domain,
    /// The name of the key (s=): its record is at SELECTOR._domainkey.DOMAIN
    #[arg(long, value_name = "SELECTOR")]
    pub selector: Selector,
    /// How header and body are made alike before they are signed (c=): relaxed or simple, one word or two
    #[arg(long, value_name = "HEADER/BODY", default_value = "relaxed/relaxed", value_parser = canonicalization)]
    pub canonicalization: Canonicalization,
    /// Who in the domain signs (i=), an address or @ and a domain
    #[arg(long, value_name = "IDENTITY")]
    pub identity: Option<String>,
    /// The signature holds for so many seconds from now (x=)
    #[arg(long, value_name = "SECONDS")]
    pub expires: Option<u64>,
    /// Write the length of the body (l=), so that text appended to it does not break the signature: anyone may append
    #[arg(long)]
    pub body_length: bool,
    /// Write copies of the signed fields (z=), to find out what changed on the way
    #[arg(long)]
    pub copy_fields: bool,
    /// Add an ARC set, which names the server by this name [default: the domain]
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    pub arc: Option<Option<String>>,
    /// Ask this name server for the keys of signatures that --arc checks
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = crate::config::name_server)]
    pub dns: Option<SocketAddr>,
}

fn canonicalization(text: &str) -> Result<Canonicalization, String> {
    let form = |text: &str| match text {
        "simple" => Ok(Form::Simple),
        "relaxed" => Ok(Form::Relaxed),
        _ => Err(format!("{text:?} is neither relaxed nor simple")),
    };
    // As in c=, a missing second word is simple (RFC 6376 §3.5).
    let (header, body) = text.split_once('/').unwrap_or((text, "simple"));
    Ok(Canonicalization { header: form(header)?, body: form(body)? })
}

pub fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let signer = signer(args)?;
    let file = MessageFile::read(Path::new("-"))?;
    let wire = file.wire();
    let (header, body) = message_file::split(&wire);
    let now = clock::seconds();
    let failed = |error: mailauth::Error| Failure::no(error.to_string());

    let mut hasher = BodyHasher::new(signer.canonicalization.body);
    hasher.update(body);
    let hash = hasher.finish();
    let mut fields = signer.sign(header, &hash, now).map_err(failed)?;
    if let Some(name) = &args.arc {
        let name = name.clone().unwrap_or_else(|| args.domain.to_string());
        let (results, status) = found(global, args, (header, body), &name)?;
        let signed = [&fields, header].concat();
        let set = Sealer::from_signer(signer).seal(&signed, &hash, status, &results, now).map_err(failed)?;
        let set = set.ok_or_else(|| {
            Failure::no("the chain of this message has ended: it failed before (cv=fail), or has 50 sets")
        })?;
        fields = [set, fields].concat();
    }
    let mut out = std::io::stdout().lock();
    out.write_all(&file.in_own_lines(&fields))?;
    out.write_all(file.octets())?;
    out.flush()?;
    Ok(Exit::Done)
}

fn signer(args: &Args) -> Result<Signer, Failure> {
    let (path, shown) = (&args.key, args.key.display());
    let pem = std::fs::read_to_string(path)
        .map_err(|error| Failure::no(format!("cannot read {shown}: {error}")))?;
    let key = SigningKey::from_pem(&pem).map_err(|error| Failure::no(format!("{shown}: {error}")))?;
    let mut signer = Signer::new(args.domain.clone(), args.selector.clone(), key);
    signer.canonicalization = args.canonicalization;
    signer.identity.clone_from(&args.identity);
    signer.lifetime = args.expires;
    signer.body_length = args.body_length;
    signer.copy_fields = args.copy_fields;
    Ok(signer)
}

/// What the set says of the message, and of the chain before it.
fn found(
    global: &Global,
    args: &Args,
    (header, body): (&[u8], &[u8]),
    name: &str,
) -> Result<(AuthResults, arc::ChainStatus), Failure> {
    let mut gathered = AuthResults::of_server(header, name);
    if let Some(status) = gathered.chain_status() {
        return Ok((gathered, status));
    }
    let configured = || global.load_if_any().map(|found| found.map(|(_, config)| config.dns.servers));
    let servers = match args.dns {
        Some(server) => vec![server],
        None => configured()?.unwrap_or_default(),
    };
    let mut signatures = Signatures::new(header, clock::seconds());
    signatures.update(body);
    let answers = client::block_on(message_file::look_up(servers, signatures.key_names()))?;
    let signed = signatures.finish(|name| message_file::answer(&answers, name));
    if gathered.of("dkim").next().is_none() {
        gathered.results.extend(results::dkim(&signed.dkim));
    }
    gathered.push(results::arc(&signed.arc, None));
    Ok((gathered, signed.arc.status()))
}
