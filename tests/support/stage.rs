//! A stage: an API server that can be stopped, slowed and made to forget. Tests are written
//! against this trait, so that they run on the real server and on any other that honours it.

use std::path::PathBuf;

use futures::future::BoxFuture;
use serde_json::Value;

use super::api::Api;

/// Who speaks to the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// May do everything.
    Admin,
    /// The service account of `manifests/base/rbac.yaml`, with exactly its permissions.
    Controller,
    /// kube-controller-manager, with the permissions of its two EndpointSlice controllers.
    Peer,
    /// kube-controller-manager as kubeadm runs it: it acts for each of its controllers as that one's account.
    Manager,
    /// Known, but without any permission.
    Nobody,
}

impl User {
    pub const ALL: [User; 5] = [User::Admin, User::Controller, User::Peer, User::Manager, User::Nobody];

    /// The name of this user in file names and tokens.
    pub fn word(self) -> &'static str {
        match self {
            User::Admin => "admin",
            User::Controller => "controller",
            User::Peer => "peer",
            User::Manager => "manager",
            User::Nobody => "nobody",
        }
    }
}

/// "An API server with a clock and faults."
pub trait Stage: Send + Sync {
    /// What the stage is called in messages.
    fn name(&self) -> String;

    /// The connection of [`User::Admin`], made for the runtime of this test.
    fn api(&self) -> &Api;

    /// A connection of its own as `user`.
    fn as_user(&self, user: User) -> BoxFuture<'_, Api>;

    /// A kubeconfig for child processes.
    fn kubeconfig(&self, user: User) -> PathBuf;

    /// Stops the API server for good (until [`Stage::restart`]); connections break.
    fn stop(&self) -> BoxFuture<'_, ()>;

    /// Stops it if it runs, starts it again at the same address, and waits until it is ready.
    fn restart(&self) -> BoxFuture<'_, ()>;

    /// Freezes the API server: connections stay open and nothing answers.
    fn pause(&self);

    /// Goes on after [`Stage::pause`].
    fn resume(&self);

    /// Stores an object of `collection` (`pods`, `endpoints`) past all checks, as an older API server may have
    /// left it there.
    fn put_unchecked(&self, collection: &'static str, object: &Value) -> BoxFuture<'_, ()>;

    /// Forgets all history before now: older versions answer 410 once the server's own window of
    /// recent changes is gone too (after [`Stage::restart`]).
    fn forget_history(&self) -> BoxFuture<'_, ()>;
}
