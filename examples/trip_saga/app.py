"""The travel agency's App: what `lambda-workflow run` and the worker load."""

from __future__ import annotations

from examples.trip_saga.services import book_car, book_flight, book_hotel, cancel
from examples.trip_saga.workflow import book_trip
from lambda_workflow import App

app = App("travel", workflows=[book_trip], adapters=[book_flight, book_hotel, book_car, cancel])
