-- Of which task a stored answer and a notification are, so that they go with those whom the task is about: a keyed digest; absent in older rows, which go with anybody.
ALTER TABLE gateway_answers ADD COLUMN task BLOB;
ALTER TABLE gateway_notifications ADD COLUMN task BLOB;
CREATE INDEX gateway_answers_task ON gateway_answers (task);
CREATE INDEX gateway_notifications_task ON gateway_notifications (task);
