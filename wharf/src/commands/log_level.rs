//! `wharf log-level`: changes a role's log level while it runs.

use wharf_proto::v1::{Mutation, SetLogLevelRequest};

use crate::{args::LogLevelArgs, client::Client, failure::Failure, print};

/// Runs the command.
pub(crate) async fn run(client: &Client, args: &LogLevelArgs) -> Result<u8, Failure> {
    let request = SetLogLevelRequest {
        mutation: Some(Mutation {
            request_id: wharf_runtime::random::new_id(),
            expected_version: 0,
        }),
        role: args.role.clone(),
        filter: args.filter.clone(),
    };
    let answer = client.platform().set_log_level(request).await?.into_inner();
    let json = print::json(&answer)?;
    print::result(client.output(), &json, || {
        format!(
            "`{}` set on {} {}(s)\n",
            args.filter, answer.receivers, args.role
        )
    });
    Ok(0)
}
