//! SIGHUP: what a running server takes over from its changed configuration.

use super::{Running, certificate, settings};
use crate::config::Config;
use crate::logging;
use net::tls::TlsServer;
use std::sync::atomic::Ordering;

impl Running {
    /// Reads settings and certificates anew. Ports, `data` and `user` stay until a restart. What may fail comes first:
    /// then everything stays as it was.
    pub(super) fn reload(&self) -> Result<(), String> {
        logging::reopen();
        let Some(file) = &self.setup.file else {
            return self.tls.as_ref().map_or(Ok(()), TlsServer::reload).map_err(|e| e.to_string());
        };
        let (_, config) = Config::load(Some(file)).map_err(|e| e.to_string())?;
        let queue = settings::queue(&config).map_err(|e| e.message)?;
        if let Some(tls) = &self.tls {
            certificate::reload(tls, &config).map_err(|e| e.to_string())?;
        }
        self.resolver.set(&settings::dns(&config)).map_err(|e| format!("dns: {e}"))?;
        self.queue.reload(queue);
        self.rotation.set(&config);
        self.take_over(&config);
        let keys = fixed_at_start(&self.setup.config, &config);
        if !keys.is_empty() {
            tracing::warn!(keys = keys.join(" "), "changes of these act after a restart");
        }
        tracing::info!(file = %file.display(), "reloaded");
        Ok(())
    }

    fn take_over(&self, config: &Config) {
        self.intake.set_settings(settings::intake(config));
        self.intake.arrival.set_settings(settings::arrival(config));
        self.intake.directory.set_host(config.hostname.clone());
        self.transport.set_hostname(config.hostname.clone());
        self.next_host.set_terms(settings::terms(config));
        self.reports.set_settings(settings::reports(config, self.setup.dev));
        self.intake.auth_guard.set_rules(settings::auth_rules(config));
        settings::reload_rates(&self.intake, config);
        self.access.message_size.store(config.limits.message_size, Ordering::Relaxed);
        self.access.unauthenticate.store(config.imap.unauthenticate, Ordering::Relaxed);
        self.limits.set(settings::limit_settings(config));
        self.store.budget().set_limit(settings::body_budget(config));
        self.store.set_undelete(config.limits.undelete);
        self.store.set_trail_kept(config.limits.trail);
        logging::change(&config.log);
    }
}

/// The keys that differ and are only looked at when the server starts.
fn fixed_at_start(old: &Config, new: &Config) -> Vec<&'static str> {
    let differ = [
        ("data", old.data != new.data),
        ("user", old.user != new.user),
        ("listen", old.listen != new.listen),
    ];
    differ.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
}
