//! `wharf proxy`: list the routers of client traffic.

use wharf_proto::v1::ListProxiesRequest;

use super::listing::read_all;
use crate::{
    args::ProxyCommand,
    client::Client,
    failure::Failure,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &ProxyCommand) -> Result<u8, Failure> {
    let ProxyCommand::List(args) = command;
    let proxies = read_all(args, |options| async {
        let request = ListProxiesRequest {
            options: Some(options),
        };
        let page = client.proxies().list_proxies(request).await?.into_inner();
        Ok((page.proxies, page.info))
    })
    .await?;
    let json = print::json_list(&proxies)?;
    print::result(client.output(), &json, || {
        let mut table = Table::new(&[
            "HOST",
            "ZONE",
            "STATE",
            "SINCE",
            ">TABLE",
            ">REQUESTS",
            ">ERRORS",
            ">OPEN",
            "ID",
        ]);
        for proxy in &proxies {
            table.row([
                proxy.host.clone(),
                proxy.zone.clone(),
                if proxy.connected {
                    "connected"
                } else {
                    "silent"
                }
                .to_owned(),
                print::age(client.now_ms(), proxy.since.as_ref()),
                proxy.table_generation.to_string(),
                proxy.requests_total.to_string(),
                proxy.errors_total.to_string(),
                proxy.open_connections.to_string(),
                proxy.id.clone(),
            ]);
        }
        table.render()
    });
    Ok(0)
}
