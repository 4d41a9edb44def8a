//! How clients and service accounts show who they are, from outside.

mod addresses;
mod assertions;
mod certificates;
mod desk;
mod hostile;
mod key_server;
mod properties;
mod secrets;
