//! `wharf config`: settings of the platform that act at once.

use wharf_proto::v1::{
    ClearSettingRequest, GetSettingRequest, ListSettingsRequest, SetSettingRequest, Setting,
};

use super::listing::read_all;
use crate::{
    args::ConfigCommand,
    client::{Client, mutation},
    failure::Failure,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &ConfigCommand) -> Result<u8, Failure> {
    let setting = match command {
        ConfigCommand::List(args) => {
            let settings = read_all(args, |options| async {
                let request = ListSettingsRequest {
                    options: Some(options),
                };
                let page = client.settings().list_settings(request).await?.into_inner();
                Ok((page.settings, page.info))
            })
            .await?;
            let json = print::json_list(&settings)?;
            print::result(client.output(), &json, || table(&settings));
            return Ok(0);
        }
        ConfigCommand::Show { key } => {
            let request = GetSettingRequest { key: key.clone() };
            client.settings().get_setting(request).await?
        }
        ConfigCommand::Set { key, value } => {
            let request = SetSettingRequest {
                mutation: mutation(),
                key: key.clone(),
                value: value.clone(),
            };
            client.settings().set_setting(request).await?
        }
        ConfigCommand::Reset { key } => {
            let request = ClearSettingRequest {
                mutation: mutation(),
                key: key.clone(),
            };
            client.settings().clear_setting(request).await?
        }
    }
    .into_inner();
    let json = print::json(&setting)?;
    print::result(client.output(), &json, || render(&setting, client.now_ms()));
    Ok(0)
}

fn table(settings: &[Setting]) -> String {
    let mut table = Table::new(&["SETTING", "VALUE", "DEFAULT", "SET", "TAKES"]);
    for setting in settings {
        table.row([
            setting.key.clone(),
            setting.value.clone(),
            setting.default_value.clone(),
            if setting.set { "yes" } else { "-" }.to_owned(),
            setting.takes.clone(),
        ]);
    }
    table.render()
}

fn render(setting: &Setting, now_ms: u64) -> String {
    let mut text = format!(
        "setting     {}\nvalue       {}\ndefault     {}\ntakes       {}\nabout       {}\n",
        print::printable(&setting.key),
        print::printable(&setting.value),
        print::printable(&setting.default_value),
        print::printable(&setting.takes),
        print::printable(&setting.about),
    );
    if setting.set {
        text.push_str(&format!(
            "set         {} ago, version {}\n",
            print::age(now_ms, setting.changed_at.as_ref()),
            setting.version
        ));
    }
    text
}
