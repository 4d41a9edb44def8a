-- A realm's events are read by themselves, in their order.
CREATE INDEX event_realm ON event (realm, position);
