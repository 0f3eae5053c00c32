//! Starting and stopping.

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use axum::Router;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
    task::JoinHandle,
};

use crate::{
    canonical::Key,
    config::{MockConfig, MockConfigError},
    connection::{MockListener, ResetSwitch},
    faults::{FaultRule, FaultScript},
    prefix_memory::PrefixMemory,
    routes,
    stats::{Arrived, Counts, MockStats, Received},
};

/// What all handlers see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: MockConfig,
    pub(crate) counts: Counts,
    pub(crate) prefixes: PrefixMemory,
    /// One permit for each call that may be worked on; none where all may.
    pub(crate) slots: Option<Semaphore>,
    arrivals: Option<File>,
    faults: RwLock<Arc<FaultScript>>,
}

impl Shared {
    fn new(config: MockConfig) -> Result<Self, MockConfigError> {
        config.check()?;
        let faults = RwLock::new(Arc::new(FaultScript::new(config.faults.clone())?));
        let slots = config.slots.map(Semaphore::new);
        let arrivals = config.arrivals.as_deref().map(appended).transpose()?;
        Ok(Self { config, counts: Counts::default(), prefixes: PrefixMemory::default(), slots, arrivals, faults })
    }

    /// Keeps a request's key outside this process, in one write, so that lines of several requests do not mix.
    pub(crate) fn keep_arrival(&self, key: &Key) -> io::Result<()> {
        let Some(mut file) = self.arrivals.as_ref() else { return Ok(()) };
        file.write_all(format!("{}\n", blake3::Hash::from_bytes(*key).to_hex()).as_bytes())
    }

    pub(crate) fn faults(&self) -> Arc<FaultScript> {
        Arc::clone(&self.faults.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn appended(path: &Path) -> Result<File, MockConfigError> {
    let file = File::options().create(true).append(true).open(path);
    file.map_err(|source| MockConfigError::Arrivals { path: path.to_owned(), source })
}

/// A running fake server; it stops when dropped.
#[derive(Debug)]
pub struct MockServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl MockServer {
    /// Listens on a free port of 127.0.0.1, inside the runtime of the caller.
    pub async fn start(config: MockConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(config).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?);
        let (stop, stopped) = oneshot::channel();
        let app = routes::router(Arc::clone(&shared));
        let task = tokio::spawn(serve(listener, app, async {
            // A dropped sender stops the server as well as a message does.
            let _ = stopped.await;
        }));
        Ok(Self { address, shared, stop: Some(stop), task })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The totals so far.
    #[must_use]
    pub fn stats(&self) -> MockStats {
        self.shared.counts.totals()
    }

    /// How often each different request came: its key in hex and the count, in the keys' order.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, u64)> {
        self.shared.counts.by_key()
    }

    /// Every request, oldest first; empty unless the settings say `record`.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.counts.received()
    }

    /// What the latest answered requests held, oldest first: the parts of their messages in order.
    #[must_use]
    pub fn arrived(&self) -> Vec<Arrived> {
        self.shared.counts.arrivals()
    }

    /// Changes what goes wrong from now on.
    pub fn set_faults(&self, rules: Vec<FaultRule>) -> Result<(), MockConfigError> {
        let script = Arc::new(FaultScript::new(rules)?);
        *self.shared.faults.write().unwrap_or_else(PoisonError::into_inner) = script;
        Ok(())
    }

    /// Stops listening and waits until requests under way are answered.
    pub async fn shutdown(mut self) -> io::Result<()> {
        drop(self.stop.take());
        (&mut self.task).await.map_err(io::Error::other)?
    }
}

/// Serves on this listener until the process ends.
pub async fn serve_forever(config: MockConfig, listener: TcpListener) -> io::Result<()> {
    let shared = Shared::new(config).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    serve(listener, routes::router(Arc::new(shared)), std::future::pending()).await
}

async fn serve(listener: TcpListener, app: Router, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let service = app.into_make_service_with_connect_info::<ResetSwitch>();
    axum::serve(MockListener(listener), service).with_graceful_shutdown(stop).await
}
