//! Landlock: from here on the process reaches only the files it needs, whatever bug it may have.

use crate::config::Config;
use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};
use std::path::{Path, PathBuf};

/// The kernel interface that the rules are written for; older kernels enforce what they know.
const INTERFACE: ABI = ABI::V4;
/// Read by the resolver, by TLS (trusted roots), by the C library (users, time zones) and for randomness.
const SYSTEM: [&str; 8] = ["/etc", "/usr", "/lib", "/lib64", "/dev/urandom", "/dev/null", "/proc", "/run"];

/// Confines this thread and all it will start. Sockets are not touched. On a kernel without Landlock nothing happens,
/// which the log says.
pub(crate) fn to_files_of(config: &Config, file: Option<&Path>) {
    match restrict(&writable(config), &readable(config, file)) {
        Ok(status) if status.ruleset == RulesetStatus::NotEnforced => {
            tracing::warn!("this kernel has no Landlock: the process is not confined to its files");
        }
        Ok(status) => tracing::info!(status = ?status.ruleset, "confined to its own files"),
        Err(error) => tracing::warn!(%error, "the process could not be confined to its files"),
    }
}

fn writable(config: &Config) -> Vec<PathBuf> {
    use crate::config::Endpoint;
    let folder = |path: &Path| path.parent().map(Path::to_owned);
    let sockets = config.listen.iter().filter_map(|listener| match &listener.endpoint {
        Endpoint::Unix(path) => folder(path),
        Endpoint::Tcp(_) => None,
    });
    let mut paths = vec![config.data.clone()];
    paths.extend(sockets);
    paths.extend(config.log.file.as_deref().and_then(folder));
    paths
}

fn readable(config: &Config, file: Option<&Path>) -> Vec<PathBuf> {
    let folder = |path: &Path| path.parent().map(Path::to_owned);
    let mut paths: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    paths.extend(file.and_then(folder));
    for files in &config.certificates {
        paths.extend(folder(&files.certificate));
        paths.extend(folder(&files.key));
    }
    paths.extend(config.client_ca.as_deref().and_then(folder));
    paths.extend(config.dns.trust_anchor.as_deref().and_then(folder));
    let deliveries =
        std::iter::once(&config.delivery).chain(config.routes.iter().map(|route| &route.delivery));
    paths.extend(deliveries.filter_map(|d| d.credentials.as_ref()).filter_map(|c| folder(&c.password_file)));
    paths
}

fn restrict(writable: &[PathBuf], readable: &[PathBuf]) -> Result<RestrictionStatus, RulesetError> {
    let (all, read) = (AccessFs::from_all(INTERFACE), AccessFs::from_read(INTERFACE));
    let mut rules =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(all)?.create()?;
    for (paths, access) in [(writable, all), (readable, read)] {
        for path in paths {
            // What is not there needs no rule.
            let Ok(opened) = PathFd::new(path) else { continue };
            rules = rules.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    rules.restrict_self()
}
