//! `waypost account certificate`: client certificates that log in without a password.

use crate::commands::administer;
use crate::exit::{Exit, Failure};
use crate::output;
use address::Address;
use admin::Client;
use admin::account::{AddCertificate, Fingerprint, ListCertificates, RemoveCertificate};
use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use std::path::{Path, PathBuf};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Let a certificate log in as this account
    #[command(after_help = "\
Examples:
  waypost account certificate add you@example.org --file laptop.pem
  waypost account certificate add you@example.org --fingerprint 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    Add(Which),
    /// The certificates of an account
    #[command(after_help = "Example:\n  waypost account certificate list you@example.org")]
    List {
        #[arg(value_name = "ADDRESS")]
        address: Address,
    },
    /// A certificate logs in no longer
    #[command(
        after_help = "Example:\n  waypost account certificate remove you@example.org --file laptop.pem"
    )]
    Remove(Which),
}

/// A certificate of an account.
#[derive(Debug, clap::Args)]
pub struct Which {
    #[arg(value_name = "ADDRESS")]
    pub address: Address,
    /// The certificate by its fingerprint, as `openssl x509 -noout -fingerprint -sha256` prints it
    #[arg(long, value_name = "SHA256", required_unless_present = "file", conflicts_with = "file")]
    pub fingerprint: Option<Fingerprint>,
    /// The certificate itself, in PEM; of several the first
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl Verb {
    /// Reads what file there is. To be done first: it is the caller's, and the server's user may not read it.
    pub(super) fn read_file(mut self) -> Result<Self, Failure> {
        if let Self::Add(which) | Self::Remove(which) = &mut self
            && let Some(file) = which.file.take()
        {
            which.fingerprint = Some(of_file(&file)?);
        }
        Ok(self)
    }
}

impl Which {
    fn named(self) -> Result<(Address, Fingerprint), Failure> {
        let missing = || Failure::usage("name a certificate with --fingerprint or --file");
        Ok((self.address, self.fingerprint.ok_or_else(missing)?))
    }
}

pub(super) async fn run(client: &Client, verb: Verb, json: bool) -> Result<Exit, Failure> {
    match verb {
        Verb::Add(which) => {
            let (address, fingerprint) = which.named()?;
            let made = client.call(AddCertificate { address: address.clone(), fingerprint }).await?;
            let text = format!("the certificate {} logs in as {address} now", made.fingerprint);
            administer::done(json, &made, &text)
        }
        Verb::List { address } => {
            let all = client.call(ListCertificates { address }).await?;
            if json {
                output::json(&all)?;
            } else {
                let rows = all.iter().map(|one| [one.fingerprint.to_string(), output::moment(one.created)]);
                output::table(["fingerprint", "added"], rows)?;
            }
            Ok(Exit::Done)
        }
        Verb::Remove(which) => {
            let (address, fingerprint) = which.named()?;
            let operation = RemoveCertificate { address: address.clone(), fingerprint: fingerprint.clone() };
            client.call(operation).await?;
            let text = format!("the certificate {fingerprint} of {address} logs in no longer");
            let document = json!({ "address": address, "fingerprint": fingerprint, "removed": true });
            administer::done(json, document, &text)
        }
    }
}

fn of_file(file: &Path) -> Result<Fingerprint, Failure> {
    let text = std::fs::read(file).map_err(|error| Failure::no(format!("{}: {error}", file.display())))?;
    let none = || {
        let words = "no certificate in PEM is in it; `openssl x509 -inform der -in FILE` makes PEM of DER";
        Failure::no(format!("{}: {words}", file.display()))
    };
    let first = CertificateDer::pem_slice_iter(&text).next().and_then(Result::ok).ok_or_else(none)?;
    X509Certificate::from_der(&first).map_err(|_| none())?;
    let sha256: [u8; 32] = digest(&SHA256, &first).as_ref().try_into().map_err(|_| none())?;
    Ok(sha256.into())
}
