//! Listeners: bound first, served when everything behind them stands.

use super::{Running, control};
use crate::config::{self, Config, Endpoint, Service};
use crate::exit::Failure;
use intake::{Intake, Role};
use net::{Adopted, Connection, LimitSettings, Limits, Listener, OverLimit, ServeOptions};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use store::Id;
use tokio::task::JoinSet;

/// The socket of `sendmail`, in the data folder: for all users of this machine, whom the kernel identifies.
pub(crate) const SUBMIT_SOCKET: &str = "submit.sock";
const SUBMIT_MODE: u32 = 0o666;
/// Of an LMTP socket: the file's group says which other programs may deliver.
const LMTP_MODE: u32 = 0o660;

/// A socket and what it is for.
pub(super) struct Bound {
    pub(super) rules: config::Listener,
    pub(super) socket: Listener,
}

/// Opens every socket of the configuration, or takes those that the service manager opened.
pub(super) fn bind(config: &Config) -> Result<Vec<Bound>, Failure> {
    let mut adopted = Adopted::from_env();
    let mut bound = Vec::new();
    for rules in config.listen.iter().filter(|rules| rules.service.is_built() || rules.service.is_http()) {
        let endpoint = endpoint(&rules.endpoint);
        let socket = match adopted.claim(&endpoint) {
            Some(socket) => socket.map_err(|e| Failure::no(format!("{endpoint}: {e}")))?,
            None => Listener::bind(&endpoint, Some(LMTP_MODE)).map_err(|e| Failure::no(e.to_string()))?,
        };
        tracing::info!(service = %rules.service, at = %socket.local(), "listening");
        bound.push(Bound { rules: rules.clone(), socket });
    }
    adopted.unclaimed().for_each(
        |at| tracing::warn!(%at, "this socket was passed to us, but no listener is configured for it"),
    );
    Ok(bound)
}

fn endpoint(endpoint: &Endpoint) -> net::Endpoint {
    match endpoint {
        Endpoint::Tcp(address) => net::Endpoint::Tcp(*address),
        Endpoint::Unix(path) => net::Endpoint::Unix(path.clone()),
    }
}

/// Serves all of them, the socket of local users and the control socket.
pub(super) fn serve(
    running: &Running,
    bound: Vec<Bound>,
    captured: Option<Id>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure> {
    for Bound { rules, socket } in bound {
        let options = ServeOptions::new(running.limits.clone(), running.shutdown.clone())
            .proxy_from(rules.proxy_from.clone());
        match rules.service {
            Service::Pop3 | Service::Pop3s => {
                let (port, options) = match rules.service {
                    Service::Pop3 => (access::pop3::Port::Pop3, options.refusal(access::pop3::refusal)),
                    _ => (access::pop3::Port::Pop3s, options),
                };
                let serve = move |connection, context| access::pop3::serve(connection, port, context);
                mailboxes(access(running, rules.tls), socket, options, tasks, serve);
            }
            Service::Imap | Service::Imaps => {
                let (port, options) = match rules.service {
                    Service::Imap => (access::imap::Port::Imap, options.refusal(access::imap::refusal)),
                    _ => (access::imap::Port::Imaps, options),
                };
                let serve = move |connection, context| access::imap::serve(connection, port, context);
                mailboxes(access(running, rules.tls), socket, options, tasks, serve);
            }
            Service::Https => {
                let Some(tls) = running.tls.clone() else {
                    tracing::warn!(at = %socket.local(), "HTTPS needs a certificate: nothing is served");
                    continue;
                };
                let settings = Arc::clone(&running.transport);
                let host = web::PolicyHost {
                    store: running.store.clone(),
                    mx: Arc::new(move || settings.settings().hostname.clone()),
                    tls,
                    shutdown: running.shutdown.clone(),
                };
                tasks.spawn(web::serve_policies(socket, options, host));
            }
            Service::Http => {
                let Some(account) = captured else { continue };
                let app = web::App {
                    store: running.store.clone(),
                    account,
                    shutdown: running.shutdown.clone(),
                    title: "Waypost dev".into(),
                };
                tasks.spawn(web::serve(socket, app));
            }
            service => {
                let listener = Arc::new(smtp_listener(service, &rules, running.setup.dev));
                let options = if listener.implicit_tls { options } else { options.refusal(refusal) };
                smtp(&running.intake, listener, socket, options, tasks);
            }
        }
    }
    local(running, tasks)?;
    control::serve(running, tasks)
}

fn smtp_listener(service: Service, rules: &config::Listener, dev: bool) -> intake::Listener {
    let role = match service {
        Service::Submission | Service::Submissions => Role::Submission,
        Service::Lmtp => Role::Lmtp,
        _ => Role::Relay,
    };
    intake::Listener {
        tls: rules.tls,
        implicit_tls: service.implicit_tls(),
        clear_login: dev,
        xclient_from: rules.xclient_from.clone(),
        ..intake::Listener::new(role)
    }
}

fn smtp(
    intake: &Arc<Intake>,
    listener: Arc<intake::Listener>,
    socket: Listener,
    options: ServeOptions,
    tasks: &mut JoinSet<()>,
) {
    let intake = Arc::clone(intake);
    tasks.spawn(net::serve(socket, options, move |connection: Connection| {
        Arc::clone(&intake).serve(Arc::clone(&listener), connection)
    }));
}

/// Serves those who read mailboxes, over the protocol of `serve`.
fn mailboxes<S>(
    context: Arc<access::Context>,
    socket: Listener,
    options: ServeOptions,
    tasks: &mut JoinSet<()>,
    serve: impl Fn(Connection, Arc<access::Context>) -> S + Clone + Send + 'static,
) where
    S: Future<Output = ()> + Send + 'static,
{
    tasks.spawn(net::serve(socket, options, move |connection| serve(connection, Arc::clone(&context))));
}

/// What those share who read mailboxes, for a listener with or without TLS.
fn access(running: &Running, tls: bool) -> Arc<access::Context> {
    match tls {
        true => Arc::clone(&running.access),
        false => Arc::new(access::Context { tls: None, ..(*running.access).clone() }),
    }
}

/// `submit.sock`: local users are few, and never kept out by strangers.
fn local(running: &Running, tasks: &mut JoinSet<()>) -> Result<(), Failure> {
    let path = running.store.folder().join(SUBMIT_SOCKET);
    let socket = Listener::bind(&net::Endpoint::Unix(path), Some(SUBMIT_MODE))
        .map_err(|e| Failure::no(e.to_string()))?;
    open_to_all(running.store.folder());
    let limits = Limits::new(LimitSettings { total: 200, ..LimitSettings::default() });
    let options = ServeOptions::new(limits, running.shutdown.clone()).refusal(refusal);
    smtp(&running.intake, Arc::new(intake::Listener::new(Role::Local)), socket, options, tasks);
    Ok(())
}

/// Local users must be able to walk to the socket, though not to list the folder or read what is in it.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711));
}

fn refusal(over: OverLimit) -> Cow<'static, [u8]> {
    match over {
        OverLimit::Total(_) => Cow::Borrowed(b"421 4.3.2 too many connections, come back later\r\n"),
        OverLimit::Address(_) => Cow::Borrowed(b"421 4.7.0 too many connections from your address\r\n"),
    }
}
