"""What to do about each error of Lampwork, for the reference: docs/errors.md."""

from __future__ import annotations

from lampwork import errors
from lampwork.errors import LampworkError

MENDS: dict[type[LampworkError], str] = {
    errors.ProjectError: "Mend the definition that the message names; `lampwork check` finds more.",
    errors.DuplicateName: "Give one of the two another name, or `name=`.",
    errors.ProjectNotFound: (
        "Name a Python file or `module:name`; of several projects in a file, `file.py:name`. "
        "`lampwork.toml` can name it for all verbs."
    ),
    errors.NotImportable: "Define the function with `def` at the top of a module, and pass that.",
    errors.SkillInvalid: (
        "Annotate every parameter with a type that JSON Schema can describe, and drop one of the "
        "options that contradict. The message has file and line."
    ),
    errors.TriggerInvalid: (
        "Mend the trigger: its expression, its function, or the recipe's parameters, which a cron"
        " can't fill."
    ),
    errors.RetentionInvalid: (
        'Give lengths of time such as `"90d"`, of a minute at least, and `conversations=` no '
        "shorter than `jobs=`."
    ),
    errors.ExtraMissing: "Install the extra that the message names.",
    errors.OrchestratorInvalid: (
        "Give it agents: genies and orchestrators of its project, none of them twice or itself; "
        "give skills to these. The message names what else is wrong."
    ),
    errors.InputInvalid: "Give what the signature or the type says. `problems` lists each misfit.",
    errors.InstructionsMissing: "Say what is to be done.",
    errors.MetadataUnknown: (
        "Correct the key (the message has the closest), or have a skill declare it as "
        "`Metadata[T]`."
    ),
    errors.MetadataInvalid: (
        'Pass a value of the declared type; `"7"` is no `int`. What is too short to be recognised'
        " can't be sealed."
    ),
    errors.OutputTypeInvalid: "Use a pydantic model, dataclass, TypedDict, Literal or JSON Schema.",
    errors.DelegationCycle: "Assign the task to another genie, or do the work in the recipe.",
    errors.DelegationTooDeep: "Let a genie further up do it, or start a job of its own for it.",
    errors.GenieNotEligible: (
        "Assign the task to a genie without these skills; or talk to this one in a chat, where "
        'there is a user. For knowledge, `knowledge="public_only"` may be enough.'
    ),
    errors.TooManyFiles: "Assign several tasks, or put files together.",
    errors.FileRejected: (
        "Mend or shrink the file, call it what it is, or raise the limit of `ReadingCaps` that "
        "`cap` names."
    ),
    errors.DatabaseUrlInvalid: (
        "Write it as `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with what is special in a "
        "password as `%40` and the like."
    ),
    errors.ArtifactInvalid: "Give bytes, 50 MiB at the most, a plain name and a media type.",
    errors.BudgetNotEnforceable: "Name a price, `Model(…, price=Price(…))`, or limit tokens.",
    errors.SeveralOrchestrations: (
        "Name one of `orchestrations` by its `orchestration_id`, which is that of its task."
    ),
    errors.UserNotAllowed: (
        "Begin a chat of your own: leave `conversation=` out. Only the user of a chat decides on "
        "what is proposed there."
    ),
    errors.AddressInUse: "Name another `--host` or `--port`; `--port 0` takes any that is free.",
    errors.RangeInvalid: "Ask for bytes that the file has, or for all of it.",
    errors.BodyTooLarge: "Send less, or upload what is large as a file.",
    errors.BodyTooSlow: "Send it again, over a better connection.",
    errors.SignInNeeded: "Send a valid API key, or sign in.",
    errors.SignInRefused: (
        "Type the e-mail address and the password again; `lampwork account EMAIL` shows whether "
        "it may sign in."
    ),
    errors.LinkInvalid: "Start the server again for a new link, or sign in.",
    errors.TooManySignIns: "Wait for as long as `retry_after` says.",
    errors.AccountsLacking: "Make an account first: `lampwork account EMAIL add --role admin`.",
    errors.DeliveryRefused: (
        "Sign the delivery as Standard Webhooks says, with a secret that the webhook has, and send "
        "it within five minutes. `lampwork trigger RECIPE` lists what was refused."
    ),
    errors.TooManyStreams: (
        "End some, follow several things in one (`client.follow(jobs=[…])`), or start the server "
        "with more `--streams`."
    ),
    errors.TooManyDeliveries: "Wait for as long as `retry_after` says; mend what was refused.",
    errors.OutboundError: "Look at what is at that address.",
    errors.OutboundRefused: (
        "If the host is meant to be reached, name it: `Project(allow_hosts=[…])`. For files by "
        'address, `"*"` allows all public hosts.'
    ),
    errors.OutboundTooLarge: "Ask for less, or pass `largest=` to `call.http`.",
    errors.OutboundTooSlow: "Pass `seconds=` to `call.http`, or try again later.",
    errors.ServerError: "Look at the server, and at its log.",
    errors.ServerUnreachable: (
        "Look whether the server runs and the address is right. If `may_be_done`, look what became "
        "of it before asking again."
    ),
    errors.ServerRefused: "Read the message; use a client of about the server's version.",
    errors.NotByServer: "Type it where the state is, without --server and LAMPWORK_SERVER.",
    errors.RoleLacking: "Ask an admin of the project for the role that the message names.",
    errors.NotFound: "Correct the name or the id.",
    errors.RecipeNotFound: "Correct the name; the message lists the recipes.",
    errors.GenieNotFound: "Correct the name; `lampwork genies` lists them.",
    errors.GenieNotInProject: "Assign the task to a genie of this project.",
    errors.JobNotFound: "`lampwork jobs` lists them. Is it another folder, `--home`?",
    errors.ConversationNotFound: (
        "`lampwork conversations` lists them. Leave `conversation=` out to begin a new one."
    ),
    errors.WaitNotFound: "`lampwork job ID` lists what a job waits for.",
    errors.TaskNotFound: "`lampwork job ID` lists a job's tasks.",
    errors.ArtifactNotFound: "Read one that a `TaskAnswer` of this project lists.",
    errors.TriggerNotFound: "Name one of `known`; `lampwork triggers` lists them.",
    errors.AccountNotFound: "Correct the address; `lampwork accounts` lists them.",
    errors.KeyNotFound: "Name it by its prefix; `lampwork keys` lists them.",
    errors.Conflict: "The message says what stands in the way; look at the job, then try again.",
    errors.IdempotencyConflict: (
        "Use a new key for new work. `job_id` is the job that has this one."
    ),
    errors.AlreadyAnswered: "Nothing: the first answer counts. `source` gave it.",
    errors.JobEnded: (
        "Nothing can reach it any more. To do its work again, `lampwork job ID retry` or `rerun`."
    ),
    errors.ConversationBusy: (
        'Try later, wait with `when_busy="wait"`, or begin a new conversation.'
    ),
    errors.CopyRefused: "Wait until the job has ended, or copy the job at its top, `root`.",
    errors.ErasureRefused: (
        "Wait until `jobs` have ended, or cancel them with `--cancel` (`cancel=True`). If they are "
        "being cancelled and do not end, start a worker."
    ),
    errors.JobErased: "Nothing: it was erased with the person whom it was about.",
    errors.TriggerPaused: "`lampwork trigger RECIPE start`; until then senders try again.",
    errors.AccountExists: "Change the one that there is: `lampwork account EMAIL`.",
    errors.LastAdmin: (
        "Make somebody else an admin first; or type it where the state is, without --server."
    ),
    errors.GenieInactive: '`lampwork genie NAME start`, or assign with `when_paused="wait"`.',
    errors.OrderCycle: (
        "Start the job detached (`job.start`), or share the work in a plain function that both "
        "recipes await."
    ),
    errors.QueueFull: (
        "Try again later, with an idempotency key; let more workers execute; or raise the "
        "project's `max_queued`."
    ),
    errors.ProposalChanged: "Look at what is proposed now, and decide on that digest.",
    errors.SubtaskSettled: "Look at the orchestration; if it has failed, retry or answer its job.",
    errors.TaskNotWaiting: "Answer when the task waits or has failed, or cancel its job.",
    errors.ModelError: "See the errors below.",
    errors.ModelUnknown: (
        "Pass an id such as `openai:gpt-5.2`, a `Model` or a playbook, and install the extra of "
        "its provider."
    ),
    errors.ModelKeyMissing: "Set the variable `key_env`, or give the genie a playbook.",
    errors.ModelUnavailable: (
        "See `tried`; then `lampwork job ID retry`. Name `fallbacks=` for the next time."
    ),
    errors.PlaybookFailed: (
        "Mend the playbook; its traceback is in `lampwork job ID`. Then `lampwork job ID retry`."
    ),
    errors.ContextTooLong: (
        "Shorten the largest of `parts`; continue long conversations with `history=Recent(n)` or "
        "`Summary()`; or use a model that takes more."
    ),
    errors.LiveModelRefused: (
        "Script the genie with `testing.script(…)`, or pass `live_models=True`."
    ),
    errors.RecordingDiffers: (
        "Mend what has changed since, or record the conversation again: `lampwork conversation ID "
        "recording --to FILE`."
    ),
    errors.ScriptEnded: "Give the script another turn, or find out why the task took more.",
    errors.ScriptCallInvalid: (
        "Correct the script's `Call`. For a call that is meant to be refused, write a `@playbook`."
    ),
    errors.CallError: "See the errors below.",
    errors.UnknownCall: (
        "Make job calls in the recipe itself, await each once, and run them side by side with "
        "`job.gather`."
    ),
    errors.CallNotAwaited: "Put `await` before the call.",
    errors.CallInterrupted: "Use `job.options(timeout=…)`, or `wait_for(…, timeout=…)`.",
    errors.ResultNotRecordable: (
        "Annotate what the function returns, with a type that reads back from JSON; store what is"
        " larger than 64 MiB elsewhere and return its name."
    ),
    errors.StepFailed: (
        "Match `error_type` in the recipe if it can go on; else mend the cause, then `lampwork "
        "job ID retry`."
    ),
    errors.JobFailed: "See `error`, or `lampwork job ID`; then `lampwork job ID retry`.",
    errors.BranchesFailed: 'See `errors`. With `on_error="collect"` they are returned instead.',
    errors.WaitTimedOut: "Decide in the recipe what is to be done without it.",
    errors.EndpointFailed: "Look at what the endpoint says, or at its job, where it runs.",
    errors.PollFailed: "Mend the function; the trigger tries again at its next time.",
    errors.TaskError: (
        "See the errors below. `lampwork conversation ID` shows what happened; a person may "
        "answer in the genie's place, `lampwork job ID answer`."
    ),
    errors.TaskNotCompleted: "Give what is `missing` and assign it again, or answer by hand.",
    errors.OutputInvalid: "See `problems`: mend the type or the instructions, or answer by hand.",
    errors.SkillFailing: "Mend the skill or what it depends on, then `lampwork job ID retry`.",
    errors.SkillFailed: "A person said so, with `reason`; the recipe decides what follows.",
    errors.MetadataLeaked: "Take the value out of `source`, or pass it without a seal.",
    errors.TurnLimitReached: (
        "Give a narrower task, say in the job description when to stop, or raise `max_turns=` of "
        "the genie."
    ),
    errors.BudgetExceeded: "Use `partial`, or assign the rest of the work with a new budget.",
    errors.TaskDeadlineExceeded: "Use `partial`, or assign the task again with more time.",
    errors.TakenOver: "Nothing: the subtask goes on as that person has said.",
    errors.PlanRejected: (
        "Say in the job description what people object to, or give the plan in code with `plan=`."
    ),
    errors.PlanInvalid: (
        "Say in the job description what the agents are for, or give the plan in code with `plan=`."
    ),
    errors.OrchestrationPartial: (
        "Use its `sections`, or assign with `allow_partial=True`. `missing` says what has "
        "failed and why; fallbacks would take over."
    ),
    errors.OrchestrationFailed: "Look at `missing`: why each agent has failed at each subtask.",
    errors.StoreError: "See the errors below.",
    errors.FolderInUse: (
        "Queue work for that process with `lampwork run` without `--wait`, or use another `--home`."
    ),
    errors.FolderNotWritable: "Make the folder writable, or name another.",
    errors.DatabaseNotWritable: (
        "Let the role own the database, or migrate as its owner and grant the role the tables; of "
        "a standby, name the primary."
    ),
    errors.DatabaseNotSupported: "Take a newer server, or make the database with UTF-8.",
    errors.DatabaseBehind: "Type `lampwork migrate` with the same database.",
    errors.DatabaseTooNew: "Install the version of Lampwork that wrote it, or name another folder.",
    errors.BackupRefused: "Name a folder that does not exist, on a disk with room for it.",
    errors.BackupInvalid: "Take another backup; see [Backup and restore](backup.md).",
    errors.RestoreRefused: "Name an empty folder with `--home`, or add `--replace`.",
    errors.StoreUnavailable: (
        "Try again; if it lasts, see whether the disk is full or the file is locked or damaged."
    ),
    errors.TestingError: "See the error below it.",
    errors.StillWaiting: (
        "Send, answer or resolve what the job waits for, or move the clock, before its result is "
        "awaited; `patience=` gives it longer."
    ),
    errors.CrashTestFailed: (
        "Do effects in steps and skills, and pass on the key that Lampwork gives. `only=` repeats "
        "one boundary."
    ),
    errors.StillExecuting: (
        "Let the function end, or pass `while_executing=True` to let its time run out."
    ),
}
