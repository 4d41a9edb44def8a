//! How clients and service accounts show who they are, from outside.

mod assertions;
mod certificates;
mod desk;
mod properties;
mod secrets;
