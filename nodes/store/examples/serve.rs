//! Serves a store on loopback without TLS or users, for benches: `serve DATA_DIR PORT [MEMORY_MIB]`.

use std::path::PathBuf;

use wharf_runtime::task::Shutdown;
use wharf_store::{Config, Listener, run};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(
        args.next()
            .ok_or("the first argument is the data directory")?,
    );
    let port: u16 = args
        .next()
        .ok_or("the second argument is the port")?
        .parse()?;
    let mut config = Config::new(dir, ([127, 0, 0, 1], port).into(), Listener::PlainLoopback);
    if let Some(mib) = args.next() {
        config.memory_bytes = mib.parse::<u64>()? * 1024 * 1024;
    }
    if let Some(secrets) = args.next() {
        wharf_runtime::tls::install_provider();
        let identity = std::path::Path::new(&secrets).join("identity.pem");
        config.listener = Listener::Tls { identity };
    }
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    wharf_runtime::task::spawn("stop on signal", async move {
        let _ = wharf_runtime::task::termination_signal().await;
        stop.trigger();
    });
    run(config, shutdown).await?;
    Ok(())
}
