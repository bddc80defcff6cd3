/**
 * A small MQTT broker whose connections, sessions and messages survive its processes: {@link
 * io.escrow.examples.mqtt.MqttBroker} is the place to begin.
 */
package io.escrow.examples.mqtt;
