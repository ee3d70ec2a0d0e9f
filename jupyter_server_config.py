"""Settings of the server that `make lab` starts, to try things with.

Jupyter reads this file only when told to::

    jupyter lab --config=jupyter_server_config.py

Nothing is switched on: what you see below each comment is an example, not the
default. Take away the # of what you want to change. A credential does not belong
here: Anthropic's client finds ANTHROPIC_API_KEY in the environment, or a profile.
Without one, the chat answers by the offline demo, which says so.
"""

c = get_config()  # noqa: F821 - put there by Jupyter

# Which model answers. "offline-demo" is the demo even where there is a credential.
# c.StreamchatExtension.model = "claude-sonnet-5-5"

# Another server that speaks the Messages API, on this machine for example.
# c.StreamchatExtension.base_url = "http://127.0.0.1:11434"

# How much work the model puts in, and whether it thinks before it answers.
# c.StreamchatExtension.effort = "low"
# c.StreamchatExtension.thinking = True

# Tools that Anthropic runs itself, and what a page or a search may be.
# c.StreamchatExtension.server_tools = ["web_search", "web_fetch"]

# What answers and conversations may cost at most, in US dollars, and what a model
# costs whose price is not known: dollars for a million tokens.
# c.StreamchatExtension.turn_limits = {"cost_usd": 0.25, "conversation_cost_usd": 5.0}
# c.StreamchatExtension.prices = {"my-model": {"input": 0.5, "output": 2.0}}

# What the agent is told before anything else.
# c.StreamchatExtension.system_prompt = "You help with this project's data. Be brief."

# Functions that the agent may call on the server, besides those of installed
# packages. Each is decorated with streamchat_nb.tool.
# c.StreamchatExtension.tools = ["my_package.weather:forecast"]

# MCP servers whose tools the agent may call, to start or to ask; or a file of them, as
# other programs have it. A secret comes from the environment.
# c.StreamchatExtension.mcp_servers = {"time": {"command": "mcp-server-time"}}
# c.StreamchatExtension.mcp_file = "notebooks/mcp_servers.json"

# Agents of your own, which a conversation chooses by name; and one in place of the
# built-in one.
# c.StreamchatExtension.agents = {"graph": "my_package.agents:graph"}
# c.StreamchatExtension.agent = "my_package.agents:make_agent"

# Where conversations are kept: a file, or "memory" to forget them with the server.
# c.StreamchatExtension.store_path = "memory"

# How long a chat token is good for, and how long a socket may take to show one.
# c.StreamchatExtension.token_lifetime_s = 60
# c.StreamchatExtension.authenticate_timeout_s = 5.0

# Record what the model says, and play it back later without one. The mode is "auto",
# "record" or "replay"; the timing "instant" or "recorded".
# c.StreamchatExtension.cassette = "chat.jsonl"
# c.StreamchatExtension.cassette_mode = "replay"
# c.StreamchatExtension.cassette_timing = "recorded"

# What becomes of an answer that nobody follows any more: it goes on, or it is
# cancelled after a while.
# c.StreamchatExtension.on_no_subscribers = "cancel"
# c.StreamchatExtension.no_subscribers_timeout_s = 30.0

# Which tools ask a person first, beside those that write, and which need not; and how
# long the person has before the answer is no.
# c.StreamchatExtension.tool_approvals = {"search_contacts": "ask"}
# c.StreamchatExtension.approval_timeout_s = 600.0

# How long answers may go on for while the server stops.
# c.StreamchatExtension.drain_timeout_s = 2.0

# How many days a deleted conversation can be restored; 0 for not at all.
# c.StreamchatExtension.trash_days = 7.0

# Limits that differ from the defaults.
# c.StreamchatExtension.limits = {"message_bytes": 50_000}

# Seconds between two words of the offline demo.
# c.StreamchatExtension.offline_pace_s = 0.1
