//! The running program: sockets, then privileges, then data, then servers; and the way back.
//!
//! ```text
//! listeners ─▶ privileges ─▶ store ─▶ directory ─▶ transport, queue ─▶ intake, access, web, control ─▶ ready
//!                                                          SIGHUP: settings and certificates anew
//!                                                          SIGTERM: sessions end, the queue stops, data closes
//! ```

mod capture;
pub(crate) mod certificate;
mod control;
mod keys;
mod listeners;
mod policies;
mod purge;
mod reload;
mod reporting;
mod settings;
mod signals;
mod verify;

pub(crate) use listeners::SUBMIT_SOCKET;

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::{confine, logging, privileges};
use directory::Directory;
use dns::Resolver;
use intake::Intake;
use listeners::Bound;
use net::tls::TlsServer;
use net::{Limits, Shutdown};
use policy::arrival::Arrival;
use queue::{Clock, Queue, QueueHandle};
use reports::Reports;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Id, Store};
use tokio::task::JoinSet;
use transport::Transport;

/// SIGTERM finishes what is acknowledged and stops within this time (the sessions first, then the queue).
const STOP_SESSIONS: Duration = Duration::from_secs(5);
const STOP_QUEUE: Duration = Duration::from_secs(4);

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    /// Read again at SIGHUP.
    pub(crate) file: Option<PathBuf>,
    /// `waypost dev`: every message to whomever goes to one mailbox, and passwords may cross loopback in the clear.
    pub(crate) dev: bool,
}

/// Everything that runs.
struct Running {
    setup: Setup,
    store: Store,
    intake: Arc<Intake>,
    access: Arc<access::Context>,
    queue: QueueHandle,
    transport: Arc<Transport>,
    resolver: Arc<Resolver>,
    next_host: Arc<verify::NextHost>,
    reports: Reports,
    limits: Limits,
    shutdown: Shutdown,
    tls: Option<TlsServer>,
    rotation: keys::Rotation,
}

/// Runs until a signal says stop.
pub(crate) fn run(setup: Setup, welcome: impl FnOnce(&Setup)) -> Result<Exit, Failure> {
    logging::start(&setup.config.log)?;
    if !setup.dev {
        // The data folder must be there to be allowed. Threads inherit the confinement, so it comes before them.
        make_data_folder(&setup.config)?;
        confine::to_files_of(&setup.config, setup.file.as_deref());
    }
    let _gathering =
        logging::gather().map_err(|e| Failure::no(format!("the thread of the log does not start: {e}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::no(format!("the runtime does not start: {e}")))?;
    runtime.block_on(serve(setup, welcome))
}

/// As root for the user that the process will become.
fn make_data_folder(config: &Config) -> Result<(), Failure> {
    let there = config.data.exists();
    store::make_folder(&config.data).map_err(|error| Failure::no(error.to_string()))?;
    if there { Ok(()) } else { privileges::give_to(&config.data, config.user.as_deref()) }
}

async fn serve(setup: Setup, welcome: impl FnOnce(&Setup)) -> Result<Exit, Failure> {
    let mut signals = signals::Signals::listen()?;
    let bound = listeners::bind(&setup.config)?;
    let tls = certificate::server(&setup.config, setup.dev)?;
    if setup.config.user.is_none() && rustix::process::geteuid().is_root() && !setup.dev {
        tracing::warn!("running as root: set `user` in the configuration");
    }
    privileges::become_user(setup.config.user.as_deref())?;
    let (running, tasks) = start(setup, tls, bound).await?;
    welcome(&running.setup);
    crate::output::line("ready")?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!("ready");
    let running = Arc::new(running);
    loop {
        match signals.next().await {
            signals::Signal::Reload => {
                let _ = running.reload().map_err(|error| tracing::error!(%error, "not reloaded"));
            }
            signals::Signal::Stop => break,
        }
        if running.shutdown.is_triggered() {
            break;
        }
    }
    running.stop(tasks).await;
    Ok(Exit::Done)
}

async fn start(
    setup: Setup,
    tls: Option<TlsServer>,
    bound: Vec<Bound>,
) -> Result<(Running, JoinSet<()>), Failure> {
    let config = &setup.config;
    let Data { store, directory, captured } = open_data(&setup).await?;
    let shutdown = Shutdown::new();
    let limits = settings::limits(config);
    let resolver = Arc::new(settings::resolver(config)?);
    let signer = verify::resigner(directory.clone());
    let tls_client = net::tls::TlsClient::new();
    let reports = Reports::new(
        directory.clone(),
        resolver.clone(),
        tls_client.clone(),
        signer.clone(),
        settings::reports(config, setup.dev),
    );
    let reporter = Arc::new(reporting::Reporter(reports.clone()));
    let transport = Arc::new(
        Transport::new(resolver.clone(), tls_client, settings::transport(config, &bound))
            .with_signer(signer)
            .with_store(store.clone())
            .with_tls_log(reporter.clone()),
    );
    let queue_settings = settings::queue(config)?;
    let queue =
        Queue::start(store.clone(), directory.clone(), transport.clone(), queue_settings, Clock::system())
            .map_err(|e| store_failure(&e))?;
    let guard = Arc::new(policy::AuthGuard::new(settings::auth_rules(config)));
    let mut intake =
        Intake::new(directory.clone(), resolver.clone(), settings::intake(config), shutdown.clone());
    intake.arrival = Arc::new(Arrival::new(resolver.clone(), store.clone(), settings::arrival(config)));
    settings::rates(&mut intake, config, setup.dev);
    intake.limits = Some(limits.clone());
    intake.tls.clone_from(&tls);
    intake.auth_guard = Arc::clone(&guard);
    let next_host =
        Arc::new(verify::NextHost::new(directory.clone(), Arc::clone(&transport), settings::terms(config)));
    intake.recipients = Some(next_host.clone());
    intake.reporter = Some(reporter);
    let access = access::Context {
        directory,
        guard,
        tls: tls.clone(),
        require_tls: !setup.dev,
        locks: access::Locks::default(),
        mailboxes: access::imap::OpenMailboxes::start(store.clone()),
        message_size: Arc::new(config.limits.message_size.into()),
        unauthenticate: Arc::new(config.imap.unauthenticate.into()),
        sign_of_life: access::SIGN_OF_LIFE,
        shutdown: shutdown.clone(),
    };
    let (intake, access) = (Arc::new(intake), Arc::new(access));
    let running = Running {
        rotation: keys::Rotation::new(&setup.config),
        setup,
        store,
        intake,
        access,
        queue,
        transport,
        resolver,
        next_host,
        reports,
        limits,
        shutdown,
        tls,
    };
    let mut tasks = JoinSet::new();
    running.start_background(&mut tasks);
    listeners::serve(&running, bound, captured, &mut tasks)?;
    Ok((running, tasks))
}

/// What is on the disk, open.
struct Data {
    store: Store,
    directory: Directory,
    /// The mailbox that gets everything (`waypost dev`).
    captured: Option<Id>,
}

async fn open_data(setup: &Setup) -> Result<Data, Failure> {
    let (options, folder) = (settings::store(&setup.config), setup.config.data.clone());
    let opened = tokio::task::spawn_blocking(move || Store::open(&folder, &options)).await;
    let store = opened.map_err(|e| Failure::no(e.to_string()))?.map_err(|e| store_failure(&e))?;
    store.start_indexer();
    let directory = Directory::open(store.clone(), setup.config.hostname.clone()).await;
    let directory = directory.map_err(|e| Failure::no(e.to_string()))?;
    if !setup.dev {
        return Ok(Data { store, directory, captured: None });
    }
    let captured = Some(capture::account(&store).await?);
    Ok(Data { store, directory: directory.capturing(capture::address()?), captured })
}

impl Running {
    /// What goes on behind the sessions, until the server stops.
    fn start_background(&self, tasks: &mut JoinSet<()>) {
        let stopping = || self.shutdown.clone();
        tasks.spawn(policies::run(Arc::clone(&self.transport), stopping()));
        tasks.spawn(purge::run(self.store.clone(), stopping()));
        let (arrival, shutdown) = (Arc::clone(&self.intake.arrival), stopping());
        tasks.spawn(async move { arrival.watch_lists(shutdown).await });
        let (reports, shutdown) = (self.reports.clone(), stopping());
        tasks.spawn(async move { reports.run(shutdown).await });
        if !self.setup.dev {
            tasks.spawn(keys::run(control::operations(self), self.rotation.clone(), stopping()));
        }
    }

    /// What is acknowledged is on disk already: sessions are told to leave, and whatever still runs at the end is cut off.
    async fn stop(self: Arc<Self>, mut tasks: JoinSet<()>) {
        tracing::info!(sessions = self.shutdown.running(), "stopping");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        self.shutdown.trigger();
        self.shutdown.wait_idle((Instant::now() + STOP_SESSIONS).into()).await;
        self.queue.stop(STOP_QUEUE).await;
        // Nothing is left that counts.
        self.reports.flush().await;
        self.transport.close_idle();
        tasks.shutdown().await;
        tracing::info!("stopped");
    }
}

fn store_failure(error: &store::StoreError) -> Failure {
    let exit = if error.is_temporary() { Exit::TryAgain } else { Exit::No };
    Failure::new(exit, error.to_string())
}
