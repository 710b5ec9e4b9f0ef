"""The remote gateway: its words turned into ours, and the calls to it.

reading         values of any type, out of JSON that somebody else wrote
vocabulary      what the gateway says about a job, as an observation
error_answers   every shape in which it says no, read by one function
create_answer   what the answer to a create means: five classes, one table
webhooks        the body of a signed delivery
account         how we reach a gateway
connection      the two HTTP clients, and foreign exceptions turned into ours
client          the calls
content         the bytes of an output
snapshot        the WebSocket, for the one thing that only it tells
"""
