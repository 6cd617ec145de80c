//! The platform of the lab with a second host, whose hands obey beside the others'.

use std::future::Future;

use tonic::transport::Channel;
use wharf_proto::v1;
use wharf_services::v1::allocators_client::AllocatorsClient;

use super::Lab;
use crate::platform::{HandAllocator, call, eventually};

/// A platform with a second host.
pub struct Fleet {
    pub lab: Lab,
    pub second: HandAllocator,
}

impl Fleet {
    pub async fn new() -> Self {
        let lab = Lab::new().await;
        let second = HandAllocator::of_host(&lab.files, &lab.process, "h2").await;
        let mut fleet = Self { lab, second };
        let channel = fleet.channel();
        fleet
            .obey("the second host is there", || async {
                allocator(&channel, "h2")
                    .await
                    .filter(|host| host.connected)
            })
            .await;
        fleet
    }

    pub fn channel(&self) -> Channel {
        self.lab.channel.clone()
    }

    /// All hands obey until `done` says so.
    pub async fn obey<T, F, R>(&mut self, what: &str, done: F) -> T
    where
        F: FnMut() -> R,
        R: Future<Output = Option<T>>,
    {
        let mut done = std::pin::pin!(eventually(what, done));
        let (mut one, mut two, mut three) = (true, true, true);
        loop {
            tokio::select! {
                found = &mut done => return found,
                lives = self.lab.allocator.obey_one(), if one => one = lives,
                lives = self.second.obey_one(), if two => two = lives,
                lives = self.lab.proxy.obey_one(), if three => three = lives,
            }
        }
    }
}

pub async fn allocator(channel: &Channel, name: &str) -> Option<v1::Allocator> {
    let request = v1::GetAllocatorRequest {
        allocator: name.into(),
    };
    let found = AllocatorsClient::new(channel.clone())
        .get_allocator(call(request))
        .await;
    found.ok().map(tonic::Response::into_inner)
}
