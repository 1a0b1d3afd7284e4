"""Orchestrators: genies that plan, delegate, judge and integrate, and execute nothing themselves.

An orchestration is one task of an orchestrator. Its verbs are recipes of ours, so each plan is the
input of a child job, and each attempt at a subtask a task of that job.
"""
