"""What the Python tests share: XMPP test client, judge of chats, fixture of clusters."""
