//! `waypost quickstart`: all that a new domain needs, made in one go.

use crate::cli::values::{Json, PasswordStdin};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::server::certificate;
use crate::{output, privileges};
use address::{Address, Domain, Secret};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use store::directory::DomainKind;

const EXAMPLES: &str = "\
Nothing that exists is overwritten, and what was made is deleted again when something fails.

Examples:
  waypost quickstart you@example.org
  waypost quickstart you@example.org --dir /etc/waypost --hostname mx.example.org";

/// Make configuration, keys, certificate and the first account, and print the DNS records to publish
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The first account; its domain becomes the first domain
    #[arg(value_name = "ADDRESS")]
    pub address: Address,
    /// Where to make it all [default: here]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The name of this machine in DNS [default: mail. and the domain]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<Domain>,
    #[command(flatten)]
    pub password: PasswordStdin,
    #[command(flatten)]
    pub json: Json,
}

/// What is made, in the folder.
const CONFIGURATION: &str = "waypost.toml";
const CERTIFICATE: &str = "cert.pem";
const KEY: &str = "key.pem";
const DATA: &str = "data";
/// The folders of a system's own Waypost (dist/), and its user.
const SYSTEM_FOLDER: &str = "/etc/waypost";
const SYSTEM_DATA: &str = "/var/lib/waypost";
const SYSTEM_USER: &str = "waypost";

/// Makes everything, or, when something fails, nothing.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let folder = std::path::absolute(args.dir.as_deref().unwrap_or_else(|| Path::new(".")))?;
    let domain =
        args.address.domain().cloned().ok_or_else(|| Failure::usage("the address needs a domain"))?;
    let hostname = match &args.hostname {
        Some(name) => name.clone(),
        None => Domain::parse(&format!("mail.{domain}")).map_err(|e| Failure::usage(e.to_string()))?,
    };
    let data =
        if folder == Path::new(SYSTEM_FOLDER) { PathBuf::from(SYSTEM_DATA) } else { folder.join(DATA) };
    let user = privileges::could_become(SYSTEM_USER).then_some(SYSTEM_USER);
    let files = [CONFIGURATION, CERTIFICATE, KEY].map(|name| folder.join(name));
    for path in files.iter().chain([&data.join("waypost.db")]) {
        if path.exists() {
            return Err(Failure::no(format!(
                "{} exists already; nothing was changed. Choose another --dir",
                path.display()
            )));
        }
    }
    let password =
        output::new_password(&format!("Password for {}", args.address), args.password.password_stdin)?;
    let mut made = Made { paths: Vec::new(), keep: false };
    made.folder(&folder)?;
    let (certificate, key) = certificate::generate(hostname.as_str())?;
    made.file(&folder.join(CERTIFICATE), &certificate, 0o644)?;
    made.file(&folder.join(KEY), &key, 0o600)?;
    made.file(
        &folder.join(CONFIGURATION),
        &configuration(&hostname, data.strip_prefix(&folder).unwrap_or(&data), user),
        0o644,
    )?;
    if !data.exists() {
        made.paths.push(data.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (_, config) = Config::load(Some(&folder.join(CONFIGURATION)))?;
    let records = runtime.block_on(populate(&config, args, &domain, password))?;
    privileges::give_to(&data, user)?;
    privileges::give_to(&folder.join(KEY), user)?;
    made.keep = true;
    let file = folder.join(CONFIGURATION);
    if args.json.json {
        let (account, hostname, data) = (&args.address, &config.hostname, &config.data);
        let document = serde_json::json!({
            "configuration": file, "data": data, "hostname": hostname, "domain": domain, "account": account, "records": records,
        });
        output::json(&document)?;
        return Ok(Exit::Done);
    }
    output::line(&format!(
        "Made {}: configuration, certificate, signing key and the account {}.\n\n\
         Publish these records in the DNS of {domain}:\n",
        folder.display(),
        args.address
    ))?;
    super::domain::print_records(&records, &config, false)?;
    output::line(&format!(
        "\nThen start it:\n\n  waypost serve --config {0}\n\n\
         The certificate is self-signed. For one that mail programs trust, change [tls] in {0}.",
        file.display()
    ))?;
    Ok(Exit::Done)
}

/// The first domain, with its key, and the first account; the records to publish.
async fn populate(
    config: &Config,
    args: &Args,
    domain: &Domain,
    password: Secret<String>,
) -> Result<Vec<admin::domain::Record>, Failure> {
    let client = admin::Client::open(&config.data).await?;
    let add = admin::domain::Add {
        domain: domain.clone(),
        kind: DomainKind::Local,
        recipients: Vec::new(),
        language: None,
        quota: None,
    };
    client.call(add).await?;
    let address = args.address.clone();
    let password = Some(admin::account::Password::Chosen { password, cram_md5: false });
    client.call(admin::account::Add { address, name: None, language: None, quota: None, password }).await?;
    let services = super::domain::services(config);
    let records =
        admin::domain::Records { domain: domain.clone(), hostname: config.hostname.clone(), services };
    Ok(client.call(records).await?)
}

fn configuration(hostname: &Domain, data: &Path, user: Option<&str>) -> String {
    let user = match user {
        Some(user) => format!("user = \"{user}\"\n"),
        None => "# user = \"waypost\"            # as root: the user to become once the ports are open\n"
            .to_owned(),
    };
    format!(
        "# Waypost. Every key: docs/configuration.md; `waypost check config` explains this file.\n\
         hostname = \"{hostname}\"\n\
         data = \"{}\"\n\
         {user}\n\
         [tls]\n\
         certificate = \"{CERTIFICATE}\"   # self-signed: replace it by one that mail programs trust\n\
         key = \"{KEY}\"\n",
        data.display()
    )
}

/// What was made so far; taken back unless everything was.
struct Made {
    paths: Vec<PathBuf>,
    keep: bool,
}

impl Made {
    fn folder(&mut self, path: &Path) -> Result<(), Failure> {
        if !path.exists() {
            self.paths.push(path.to_owned());
            std::fs::create_dir_all(path)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let failed = |e: std::io::Error| Failure::no(format!("{}: {e}", path.display()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
        self.paths.push(path.to_owned());
        // Whatever the mask: `sendmail` of any user reads the configuration.
        file.set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        for path in self.paths.iter().rev() {
            let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
    }
}
